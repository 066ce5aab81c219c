//! A real registry of container images (docker-registry) on loopback, and a gate before it that wants tokens, is busy, or
//! breaks off.

use std::collections::{BTreeSet, VecDeque};
use std::fs;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::fixtures;
use crate::server::{Seen, read_request};

/// User and password of a registry that wants a login.
pub const LOGIN: (&str, &str) = ("robot", "s3cret-of-the-robot");
/// The same as the registry's own file has it (bcrypt).
const HTPASSWD: &str = "robot:$2y$05$abcdefghijklmnopqrstuueMK1O/oe6maWBy0SODKvFEEhVddOiNu\n";

/// A registry that was started here; it ends with the value.
pub struct Registry {
    child: Child,
    port: u16,
    dir: PathBuf,
}

impl Registry {
    /// Starts one whose files are below `dir`; none, with a line, where docker-registry is not installed.
    pub fn start(dir: &Path) -> Option<Self> {
        Self::run(dir, "")
    }

    /// One that wants [`LOGIN`], as it does it itself (basic).
    pub fn with_login(dir: &Path) -> Option<Self> {
        fs::create_dir_all(dir).expect("a folder for the registry");
        let file = dir.join("htpasswd");
        fs::write(&file, HTPASSWD).expect("a file of logins");
        let auth = format!(
            "auth: {{htpasswd: {{realm: test, path: {}}}}}\n",
            file.display()
        );
        Self::run(dir, &auth)
    }

    /// One that speaks https alone, with this certificate and key.
    pub fn with_tls(dir: &Path, certificate: &Path, key: &Path) -> Option<Self> {
        let (certificate, key) = (certificate.display(), key.display());
        Self::run_as(
            dir,
            "",
            &format!(", tls: {{certificate: '{certificate}', key: '{key}'}}"),
        )
    }

    fn run(dir: &Path, more: &str) -> Option<Self> {
        Self::run_as(dir, more, "")
    }

    fn run_as(dir: &Path, more: &str, how: &str) -> Option<Self> {
        if Command::new("docker-registry")
            .arg("--version")
            .stdout(Stdio::null())
            .status()
            .is_err()
        {
            fixtures::skipped("no docker-registry");
            return None;
        }
        fs::create_dir_all(dir).expect("a folder for the registry");
        let config = dir.join("registry.yml");
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("its address").port();
        drop(free);
        let text = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  \
             delete: {{enabled: true}}\nhttp: {{addr: '127.0.0.1:{port}'{how}}}\n{more}",
            dir.join("store").display()
        );
        fs::write(&config, text).expect("the configuration of a registry");
        let mut command = Command::new("docker-registry");
        let log = fs::File::create(dir.join("log")).expect("a log");
        let child = command
            .arg("serve")
            .arg(config)
            .stdout(Stdio::null())
            .stderr(log);
        let child = child.spawn().expect("docker-registry runs");
        let registry = Self {
            child,
            port,
            dir: dir.to_owned(),
        };
        for _ in 0..1200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Some(registry);
            }
            std::thread::sleep(Duration::from_millis(25));
        }
        panic!("the registry does not answer");
    }

    /// Port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `oci://127.0.0.1:PORT/` + `name`.
    pub fn url(&self, name: &str) -> String {
        format!("oci://127.0.0.1:{}/{name}", self.port)
    }

    /// Puts the files below `tree` under a tag, as an artifact that says so: written here by hand, so that it is not our own
    /// writer alone whose work is read.
    pub fn put_tree(&self, tree: &Path, name: &str, tag: &str) {
        let mut layers = Vec::new();
        for path in crate::tree::files(tree) {
            let path = tree.join(path);
            let below = path
                .strip_prefix(tree)
                .expect("below it")
                .display()
                .to_string();
            let bytes = fs::read(&path).expect("a file of the tree");
            let digest = self.put_blob(name, &bytes);
            layers.push(serde_json::json!({
                "mediaType": "application/octet-stream", "digest": digest, "size": bytes.len(),
                "annotations": {"org.opencontainers.image.title": below}
            }));
        }
        let config = self.put_blob(name, b"{}");
        let manifest = serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": "application/vnd.tdnf.repository.v1",
            "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": config, "size": 2},
            "layers": layers
        });
        let to = format!("/v2/{name}/manifests/{tag}");
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let (status, _) = self.send("PUT", &to, kind, manifest.to_string().as_bytes());
        assert_eq!(status, 201, "{name}:{tag}");
    }

    fn put_blob(&self, name: &str, bytes: &[u8]) -> String {
        let digest = Sha256::digest(bytes);
        let digest = format!("sha256:{digest:x}");
        let uploads = format!("/v2/{name}/blobs/uploads/");
        let (status, place) = self.send("POST", &uploads, "text/plain", b"");
        assert_eq!(status, 202, "{name}");
        let path = place.split_once("://").map_or(place.as_str(), |(_, rest)| {
            rest.find('/').map_or("/", |at| &rest[at..])
        });
        let to = format!("{path}&digest={digest}");
        let (status, _) = self.send("PUT", &to, "application/octet-stream", bytes);
        assert_eq!(status, 201, "{name}@{digest}");
        digest
    }

    /// One request, with [`LOGIN`]; its status, and `Location`.
    fn send(&self, method: &str, target: &str, kind: &str, body: &[u8]) -> (u16, String) {
        let login = crate::server::base64(format!("{}:{}", LOGIN.0, LOGIN.1).as_bytes());
        let mut stream =
            TcpStream::connect(("127.0.0.1", self.port)).expect("the registry answers");
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Basic {login}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("it reads");
        stream.write_all(body).expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer in text");
        let status = text.get(9..12).and_then(|code| code.parse().ok());
        let place = text
            .lines()
            .find_map(|line| line.strip_prefix("Location: "));
        (
            status.expect("a status"),
            place.unwrap_or_default().to_owned(),
        )
    }

    /// `auths` of docker's file of logins with [`LOGIN`] for this registry.
    pub fn auths(&self) -> String {
        let auth = crate::server::base64(format!("{}:{}", LOGIN.0, LOGIN.1).as_bytes());
        format!(
            "{{\"auths\": {{\"127.0.0.1:{}\": {{\"auth\": \"{auth}\"}}}}}}",
            self.port
        )
    }

    /// The file that holds the blob of this SHA-256 (in hexadecimal digits).
    pub fn blob(&self, hex: &str) -> PathBuf {
        let start = hex.get(..2).expect("a digest");
        let below = format!("store/docker/registry/v2/blobs/sha256/{start}/{hex}/data");
        self.dir.join(below)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a gate does to a request instead of letting it through.
#[derive(Debug, Clone)]
pub enum Trouble {
    /// Answers a status, with further header lines.
    Status(u16, String),
    /// Lets through so many bytes of the answer, head included, and breaks off.
    Cut(u64),
    /// Answers all of this, head included.
    Raw(Vec<u8>),
}

#[derive(Default)]
struct Rules {
    /// Wants tokens, given for this login; for none if it is empty.
    tokens: Option<(String, String)>,
    /// Given and good.
    good: BTreeSet<String>,
    given: usize,
    /// Where tokens are said to be had.
    realm: Option<String>,
    /// Troubles of the requests whose method and path contain a text, in their order.
    troubles: Vec<(String, VecDeque<Trouble>)>,
    seen: Vec<Seen>,
}

/// The gate; dropping it closes it.
pub struct Gate {
    address: SocketAddr,
    rules: Arc<Mutex<Rules>>,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

fn hold(rules: &Mutex<Rules>) -> MutexGuard<'_, Rules> {
    rules.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gate {
    /// Before the server at a port of loopback.
    pub fn before(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
        let address = listener.local_addr().expect("address of the listener");
        let (rules, stop) = (Arc::<Mutex<Rules>>::default(), Arc::<AtomicBool>::default());
        let (ours, ends) = (Arc::clone(&rules), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let each = Arc::clone(&ours);
                std::thread::spawn(move || pass(&each, stream, address, port));
            }
        });
        Self {
            address,
            rules,
            stop,
            thread: Some(thread),
        }
    }

    /// `oci://127.0.0.1:PORT/` + `name`.
    pub fn url(&self, name: &str) -> String {
        format!("oci://{}/{name}", self.address)
    }

    /// From now on a token is wanted, to be had at the gate with this login; empty: by anybody.
    pub fn want_tokens(&self, user: &str, password: &str) {
        hold(&self.rules).tokens = Some((user.to_owned(), password.to_owned()));
    }

    /// Another place is named where tokens are to be had.
    pub fn name_realm(&self, realm: &str) {
        hold(&self.rules).realm = Some(realm.to_owned());
    }

    /// The tokens that were given are good no more.
    pub fn end_tokens(&self) {
        hold(&self.rules).good.clear();
    }

    /// Tokens given so far.
    pub fn tokens_given(&self) -> usize {
        hold(&self.rules).given
    }

    /// The next requests whose `METHOD PATH` contains `text` meet these troubles.
    pub fn trouble(&self, text: &str, troubles: impl IntoIterator<Item = Trouble>) {
        let troubles = troubles.into_iter().collect();
        hold(&self.rules).troubles.push((text.to_owned(), troubles));
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        hold(&self.rules).seen.clone()
    }

    /// Forgets the requests so far.
    pub fn forget(&self) {
        hold(&self.rules).seen.clear();
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A proxy that leads every `CONNECT`, whatever its host, to a port of loopback: servers there have names for once. It
/// lasts as long as the test. `http://127.0.0.1:PORT`.
pub fn tunnel_to(port: u16) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port on loopback");
    let address = listener.local_addr().expect("address of the listener");
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || -> Option<()> {
                let mut reader = BufReader::new(client.try_clone().ok()?);
                let seen = read_request(&mut reader)?;
                let mut client = client;
                if seen.method != "CONNECT" {
                    return client
                        .write_all(b"HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n")
                        .ok();
                }
                let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
                client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").ok()?;
                let mut up = server.try_clone().ok()?;
                std::thread::spawn(move || io::copy(&mut reader, &mut up));
                io::copy(&mut server, &mut client).ok()?;
                client.shutdown(Shutdown::Both).ok()
            });
        }
    });
    format!("http://{address}")
}

/// One request and its answer; the connection ends with it.
fn pass(rules: &Mutex<Rules>, client: TcpStream, address: SocketAddr, port: u16) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut client = client;
    let seen = read_request(&mut reader)?;
    let trouble = {
        let mut rules = hold(rules);
        rules.seen.push(seen.clone());
        let asked = format!("{} {}", seen.method, seen.target);
        let mut known = rules.troubles.iter_mut();
        known.find_map(|(text, left)| asked.contains(text.as_str()).then(|| left.pop_front())?)
    };
    let mut answer = match &trouble {
        Some(Trouble::Status(status, headers)) => Some(
            format!("HTTP/1.1 {status} Trouble\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n").into_bytes(),
        ),
        Some(Trouble::Raw(raw)) => Some(raw.clone()),
        _ => None,
    };
    if answer.is_none() {
        answer = guard(&mut hold(rules), &seen, address);
    }
    if let Some(answer) = answer {
        client.write_all(&answer).ok()?;
        // What else it sends is read, or it would not see the answer.
        let _ = client.shutdown(Shutdown::Write);
        let _ = client.set_read_timeout(Some(Duration::from_secs(5)));
        let _ = io::copy(&mut reader, &mut io::sink());
        return Some(());
    }
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let mut head = format!("{} {} HTTP/1.1\r\n", seen.method, seen.target);
    let kept = seen.headers.iter().filter(|(name, _)| name != "connection");
    let tokens = hold(rules).tokens.is_some();
    for (name, value) in kept.filter(|(name, _)| !tokens || name != "authorization") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    server
        .write_all(format!("{head}connection: close\r\n\r\n").as_bytes())
        .ok()?;
    server.write_all(&seen.body).ok()?;
    let mut up = server.try_clone().ok()?;
    std::thread::spawn(move || {
        let _ = io::copy(&mut reader, &mut up);
    });
    let _ = match trouble {
        Some(Trouble::Cut(bytes)) => io::copy(&mut server.take(bytes), &mut client),
        _ => io::copy(&mut server, &mut client),
    };
    client.shutdown(Shutdown::Both).ok()
}

/// What is answered to who shows no good token.
fn guard(rules: &mut Rules, seen: &Seen, address: SocketAddr) -> Option<Vec<u8>> {
    let (user, password) = rules.tokens.clone()?;
    let shown = seen.header("authorization").unwrap_or_default();
    if seen.path == "/token" {
        let wanted = format!(
            "Basic {}",
            crate::server::base64(format!("{user}:{password}").as_bytes())
        );
        if !user.is_empty() && shown != wanted {
            return Some(
                b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
            );
        }
        rules.given += 1;
        let token = format!("token-{}", rules.given);
        let body = format!("{{\"token\": \"{token}\", \"expires_in\": 300}}");
        rules.good.insert(format!("Bearer {token}"));
        let length = body.len();
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
        return Some((head + &body).into_bytes());
    }
    if rules.good.contains(shown) {
        return None;
    }
    let realm = rules
        .realm
        .clone()
        .unwrap_or_else(|| format!("http://{address}/token"));
    let head = format!(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"{realm}\",service=\"gate\"\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    Some(head.into_bytes())
}
