//! Object stores that are really there: s3s-fs and Ceph's radosgw, each with a folder and a key of its own.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::fixtures::skipped;

/// How long a program may take to be there.
const PATIENCE: Duration = Duration::from_secs(60);
/// What names the cluster of a test.
const FSID: &str = "7b9c6a0e-3d0a-4c7e-9d9e-0123456789ab";

/// A running object store; it ends when dropped.
pub struct Store {
    /// What it is: `s3s-fs` or `radosgw`.
    pub kind: &'static str,
    /// URL of the server.
    pub endpoint: String,
    /// Port of it, on 127.0.0.1.
    pub port: u16,
    /// Access key id.
    pub key_id: &'static str,
    /// Secret key.
    pub secret: &'static str,
    dir: TempDir,
    children: Vec<Child>,
}

impl Store {
    /// Every store that this machine has; says which it lacks.
    pub fn all() -> Vec<Self> {
        let stores = [Self::s3s(), Self::rados()];
        stores.into_iter().flatten().collect()
    }

    /// s3s-fs: its buckets are folders. None, after printing why, where it is not installed (`TDNF_S3S_FS`, or in the
    /// folder of `./dev`).
    pub fn s3s() -> Option<Self> {
        let Some(program) = s3s_fs() else {
            skipped("no s3s-fs: ./dev test installs it");
            return None;
        };
        let mut store = Self::new("s3s-fs");
        let port = store.port.to_string();
        let root = store.path("buckets");
        fs::create_dir(&root).expect("the folder is ours");
        let mut server = Command::new(program);
        server.args(["--host", "127.0.0.1", "--port", &port]);
        server.args(["--access-key", store.key_id, "--secret-key", store.secret]);
        store.start(server.arg(root));
        store.wait();
        Some(store)
    }

    /// radosgw over a cluster of one node in memory. None, after printing why, where it is not installed.
    pub fn rados() -> Option<Self> {
        let programs = ["ceph-mon", "ceph-osd", "radosgw", "monmaptool"];
        if let Some(missing) = programs.into_iter().find(|program| !is_there(program)) {
            skipped(&format!("no {missing}: ./dev setup test installs it"));
            return None;
        }
        let mut store = Self::new("radosgw");
        let mon = format!("[v2:127.0.0.1:{}]", free_port());
        let dir = store.dir.path().to_owned();
        let text = ceph_conf(&dir, &mon);
        fs::write(dir.join("ceph.conf"), text).expect("the folder is ours");
        for folder in ["mon", "osd", "rgw"] {
            fs::create_dir(dir.join(folder)).expect("the folder is ours");
        }
        let osd = "11111111-2222-3333-4444-555555555555";
        store.run(
            "monmaptool",
            &["--create", "--fsid", FSID, "--addv", "a", &mon, "monmap"],
        );
        store.ceph("ceph-mon", &["-i", "a", "--mkfs", "--monmap", "monmap"]);
        store.serve("ceph-mon", &["-i", "a", "-f"]);
        store.ceph("ceph", &["osd", "new", osd]);
        store.ceph("ceph-osd", &["-i", "0", "--mkfs", "--osd-uuid", osd]);
        store.serve("ceph-osd", &["-i", "0", "-f"]);
        let (id, secret) = (store.key_id, store.secret);
        let keys = ["--access-key", id, "--secret-key", secret];
        let user = ["user", "create", "--uid", "tester", "--display-name", "T"];
        store.ceph(
            "radosgw-admin",
            &[user.as_slice(), keys.as_slice()].concat(),
        );
        let frontend = format!("--rgw-frontends=beast endpoint=127.0.0.1:{}", store.port);
        store.serve("radosgw", &["-n", "client.admin", "-f", &frontend]);
        store.wait();
        Some(store)
    }

    fn new(kind: &'static str) -> Self {
        let port = free_port();
        Self {
            kind,
            endpoint: format!("http://127.0.0.1:{port}"),
            port,
            key_id: "TESTERSKEYID",
            secret: "a/secret+of the=tester",
            dir: tempfile::tempdir().expect("a temporary folder can be made"),
            children: Vec::new(),
        }
    }

    /// Makes a bucket.
    pub fn bucket(&self, name: &str) {
        match self.kind {
            "s3s-fs" => {
                fs::create_dir(self.path("buckets").join(name)).expect("the folder is ours")
            }
            _ => self.asked("PUT", name, ""),
        }
    }

    /// The file that an object of s3s-fs is.
    pub fn file(&self, bucket: &str, key: &str) -> PathBuf {
        self.path("buckets").join(bucket).join(key)
    }

    /// Lets everybody read what is in a bucket of radosgw.
    pub fn publish(&self, bucket: &str) {
        let policy = format!(
            "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Allow\",\"Principal\":\"*\",\
             \"Action\":[\"s3:GetObject\"],\"Resource\":[\"arn:aws:s3:::{bucket}/*\"]}}]}}"
        );
        self.asked("PUT", &format!("{bucket}?policy"), &policy);
    }

    /// Limits what radosgw keeps of the tester to so many bytes.
    pub fn quota(&self, bytes: u64) {
        let size = bytes.to_string();
        let of = ["--quota-scope=user", "--uid=tester"];
        let set = ["quota", "set", "--max-size", &size];
        self.ceph("radosgw-admin", &[set.as_slice(), of.as_slice()].concat());
        self.ceph(
            "radosgw-admin",
            &[["quota", "enable"].as_slice(), of.as_slice()].concat(),
        );
    }

    /// The variables with which a program finds this store and its key.
    pub fn variables(&self) -> [(&'static str, &str); 3] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_ACCESS_KEY_ID", self.key_id),
            ("AWS_SECRET_ACCESS_KEY", self.secret),
        ]
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A request that curl makes, signed in the old way: with a hash of four lines.
    fn asked(&self, method: &str, what: &str, body: &str) {
        let script = "d=$(LC_ALL=C date -u '+%a, %d %b %Y %T GMT') && \
            s=$(printf '%s\\n\\n\\n%s\\n/%s' \"$1\" \"$d\" \"$2\" | openssl dgst -sha1 -hmac \"$5\" -binary | base64) && \
            curl -fsS -X \"$1\" -H \"Date: $d\" -H \"Authorization: AWS $4:$s\" -H Content-Type: -d \"$6\" \"$3/$2\"";
        let mut sh = Command::new("sh");
        sh.args(["-c", script, "sh", method, what, &self.endpoint]);
        let done = sh.args([self.key_id, self.secret, body]).status();
        assert!(done.expect("sh runs").success(), "{method} {what}");
    }

    fn ceph(&self, program: &str, args: &[&str]) {
        let conf = self.path("ceph.conf").display().to_string();
        self.run(program, &[&["-c", &conf], args].concat());
    }

    fn run(&self, program: &str, args: &[&str]) {
        let mut command = Command::new("timeout");
        let limit = PATIENCE.as_secs().to_string();
        let command = command.args([&limit, program]).args(args);
        let output = command.current_dir(self.dir.path()).output();
        let output = output.expect("timeout runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{program} {args:?}: {said}");
    }

    fn serve(&mut self, program: &str, args: &[&str]) {
        let conf = self.path("ceph.conf");
        let mut command = Command::new(program);
        self.start(command.arg("-c").arg(conf).args(args));
    }

    fn start(&mut self, command: &mut Command) {
        let log = File::create(self.path(&format!("log-{}", self.children.len())));
        let log = log.expect("the folder is ours");
        command.current_dir(self.dir.path()).stdin(Stdio::null());
        command.stdout(log.try_clone().expect("a file")).stderr(log);
        self.children.push(command.spawn().expect("the store runs"));
    }

    fn wait(&self) {
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < PATIENCE, "{} does not answer", self.kind);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        for mut child in self.children.drain(..).rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A cluster whose monitor is asked at once, and which keeps everything in memory, once.
fn ceph_conf(dir: &Path, mon: &str) -> String {
    let dir = dir.display();
    format!(
        "[global]
fsid = {FSID}
mon host = {mon}
auth supported = none
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
ms bind msgr1 = false
run dir = {dir}
admin socket = {dir}/$name.$pid.asok
log file =
pid file =
mon data = {dir}/mon
osd data = {dir}/osd
rgw data = {dir}/rgw
osd objectstore = memstore
memstore device bytes = 6442450944
osd crush chooseleaf type = 0
osd crush initial weight = 1
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 2000
mon data avail crit = 0
paxos propose interval = 0.01
paxos min wait = 0.01
rgw bucket quota ttl = 0
rgw user quota bucket sync interval = 0
"
    )
}

/// Where s3s-fs is.
fn s3s_fs() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("TDNF_S3S_FS") {
        return Some(PathBuf::from(named));
    }
    let cache = std::env::var_os("TDNF_CACHE").map(PathBuf::from);
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/tdnf-dev"));
    let tools = fs::read_dir(cache.or_else(home)?.join("tools")).ok()?;
    let programs = tools.flatten().map(|tool| tool.path().join("bin/s3s-fs"));
    programs.into_iter().find(|program| program.is_file())
}

fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    free.local_addr().expect("address of the listener").port()
}
