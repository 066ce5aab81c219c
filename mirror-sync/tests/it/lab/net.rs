//! Namespaces, lines and nginx.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A child that ends with its owner.
pub(crate) struct Owned(pub(crate) Child);

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A network namespace; it is gone when its keeper is.
pub(crate) struct Namespace {
    keeper: Owned,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args([
            "--net",
            "sh",
            "-c",
            "ip link set lo up; echo up; exec sleep 100000",
        ]);
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        first_line(&mut child);
        Self {
            keeper: Owned(child),
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.keeper.0.id()
    }

    /// A program in the namespace.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.pid().to_string(), "-n"])
            .arg(program);
        command
    }

    pub(crate) fn ip(&self, words: &[&str]) {
        let output = self.command("ip").args(words).output().expect("ip runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ip {words:?}: {said}");
    }
}

pub(crate) fn first_line(child: &mut Child) {
    let out = child.stdout.take().expect("a pipe");
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line).expect("a line");
    assert!(!line.is_empty(), "the helper ended at once");
}

/// What a line between client and server is like.
#[derive(Clone, Copy)]
pub(crate) struct Physics {
    pub(crate) bits: u64,
    /// One way, in milliseconds.
    pub(crate) delay: u64,
    /// Per cent, towards the client.
    pub(crate) loss: u64,
    /// Room of the queue, in milliseconds.
    pub(crate) queue: u64,
}

/// A client and a server namespace with a line between them; the server is 10.9.0.2.
pub(crate) struct Link {
    pub(crate) client: Namespace,
    pub(crate) server: Namespace,
    _line: Owned,
}

impl Link {
    pub(crate) fn new(physics: Physics) -> Self {
        let (client, server) = (Namespace::new(), Namespace::new());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/lab/link.py");
        let words = [physics.bits, physics.delay, physics.loss, physics.queue];
        let mut command = Command::new("unshare");
        command.args(["--net", "python3"]).arg(script);
        command
            .args(words.map(|word| word.to_string()))
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("unshare runs");
        first_line(&mut child);
        let line = child.id().to_string();
        for (device, namespace, own, other) in [
            ("near", &client, "10.9.0.1", "10.9.0.2"),
            ("far", &server, "10.9.0.2", "10.9.0.1"),
        ] {
            let mut mover = Command::new("nsenter");
            mover.args(["-t", &line, "-n", "ip", "link", "set", device, "netns"]);
            let moved = mover
                .arg(namespace.pid().to_string())
                .status()
                .expect("nsenter runs");
            assert!(moved.success(), "{device} could not be moved");
            namespace.ip(&["addr", "add", own, "peer", other, "dev", device]);
            namespace.ip(&[
                "link",
                "set",
                device,
                "mtu",
                "1500",
                "txqueuelen",
                "1000",
                "up",
            ]);
        }
        Self {
            client,
            server,
            _line: Owned(child),
        }
    }
}

/// nginx that serves a folder.
pub(crate) struct Nginx {
    pub(crate) port: u16,
    _child: Owned,
    _dir: tempfile::TempDir,
}

impl Nginx {
    /// On loopback, with more directives for its only location.
    pub(crate) fn start(www: &Path, more: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let nginx = Self::spawn(Command::new("nginx"), port, "", www, more);
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return nginx;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nginx did not come up");
    }

    /// In a namespace, at port 80 of all its addresses.
    pub(crate) fn start_in(namespace: &Namespace, www: &Path, more: &str) -> Self {
        let nginx = Self::spawn(namespace.command("nginx"), 80, "", www, more);
        nginx.wait_in(namespace)
    }

    /// ... and with HTTP/2 at port 443, by the certificate and key in `tls`.
    pub(crate) fn start_secure_in(namespace: &Namespace, www: &Path, tls: &Path) -> Self {
        let tls = tls.display();
        let secure = format!(
            "listen 443 ssl http2; ssl_certificate {tls}/cert.pem; ssl_certificate_key {tls}/key.pem;"
        );
        let nginx = Self::spawn(namespace.command("nginx"), 80, &secure, www, "");
        nginx.wait_in(namespace)
    }

    fn wait_in(self, namespace: &Namespace) -> Self {
        for _ in 0..200 {
            let mut asks = namespace.command("curl");
            asks.args(["-s", "-o", "/dev/null", "http://127.0.0.1/"]);
            if asks.status().is_ok_and(|status| status.success()) {
                return self;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("nginx did not come up");
    }

    fn spawn(mut command: Command, port: u16, secure: &str, www: &Path, more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = dir.path().display();
        let text = format!(
            "daemon off; pid {at}/pid; error_log {at}/error.log; master_process off; user root;\n\
             events {{ worker_connections 512; }}\n\
             http {{ log_format log '$connection $status $bytes_sent $request_uri';\n\
             access_log {at}/access.log log; sendfile on; keepalive_requests 100000;\n\
             limit_conn_zone $server_port zone=all:1m;\n\
             client_body_temp_path {at}/b; proxy_temp_path {at}/p; fastcgi_temp_path {at}/f;\n\
             uwsgi_temp_path {at}/u; scgi_temp_path {at}/s;\n\
             server {{ listen {port}; {secure} location / {{ root {www}; {more} }} }} }}\n",
            www = www.display(),
        );
        let file: PathBuf = dir.path().join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        command.arg("-c").arg(&file);
        let child = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        Self {
            port,
            _child: Owned(child.expect("nginx runs")),
            _dir: dir,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Lines of its log so far: connection, status, bytes, path.
    pub(crate) fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self._dir.path().join("access.log"));
        let lines = |text: String| text.lines().map(str::to_owned).collect();
        log.map(lines).unwrap_or_default()
    }

    /// Requests so far.
    pub(crate) fn requests(&self) -> usize {
        self.log().len()
    }
}

/// A certificate for 10.9.0.2 that vouches for itself, with its key, as `cert.pem` and `key.pem`.
pub(crate) fn certificate(dir: &Path) {
    let mut command = Command::new("openssl");
    command.args("req -x509 -newkey rsa:2048 -nodes -days 3 -subj /CN=lab".split(' '));
    // Not one that may sign others: a server must not show such a one.
    command.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    command.args(["-addext", "subjectAltName=IP:10.9.0.2"]);
    command.arg("-out").arg(dir.join("cert.pem"));
    command.arg("-keyout").arg(dir.join("key.pem"));
    let done = command.output().expect("openssl runs");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
}
