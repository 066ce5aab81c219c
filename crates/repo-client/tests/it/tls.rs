//! Row 79: certificates good and bad, against a real nginx.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use repo_client::{
    Access, CaEnvironment, Cause, Client, ClientOptions, FileRequest, Proxy, Route, Silent, Tls,
    TlsFault,
};
use testkit::server::Answer;

use crate::fixture::{Site, access, fetch_one, noise};

fn openssl(dir: &Path, line: &str) {
    let done = Command::new("openssl")
        .args(line.split(' '))
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "openssl {line}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

const EC: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

/// Key `name`, what a certificate for it is asked for with, and what that is to say.
fn request(dir: &Path, name: &str, ext: &str) {
    std::fs::write(dir.join("ext"), ext).unwrap();
    openssl(
        dir,
        &format!("req {EC} -keyout {name}.key -out {name}.csr -subj /CN={name}"),
    );
}

/// A certificate authority and its key.
pub(crate) fn authority(dir: &Path, name: &str) {
    openssl(
        dir,
        &format!("req -x509 {EC} -keyout {name}.key -out {name}.crt -days 30 -subj /CN={name}"),
    );
}

/// Certificate and key `name` by `ca`, for `san`, for `days`.
pub(crate) fn certificate(dir: &Path, name: &str, ca: &str, san: &str, days: i32) {
    request(dir, name, &format!("subjectAltName={san}\n"));
    openssl(
        dir,
        &format!(
            "x509 -req -in {name}.csr -CA {ca}.crt -CAkey {ca}.key -CAcreateserial -days {days} \
             -extfile ext -out {name}.crt"
        ),
    );
}

/// The same, signed by nobody else and fit to sign others: what `openssl req -x509` makes.
fn self_signed(dir: &Path, name: &str, san: &str, days: i32) {
    let ext = format!("subjectAltName={san}\nbasicConstraints=critical,CA:TRUE\n");
    request(dir, name, &ext);
    openssl(
        dir,
        &format!(
            "x509 -req -in {name}.csr -signkey {name}.key -days {days} -extfile ext -out {name}.crt"
        ),
    );
}

/// nginx with one TLS port for each kind of certificate.
struct Servers {
    site: Site,
    nginx: Child,
    ports: Vec<u16>,
}

const KINDS: [&str; 8] = [
    "good",
    "expired",
    "other",
    "stranger",
    "client",
    "selfmade",
    "selfold",
    "selfother",
];

impl Servers {
    fn start() -> Self {
        let site = Site::new();
        let dir = site.path("tls");
        std::fs::create_dir(&dir).unwrap();
        for ca in ["ca", "foreign"] {
            authority(&dir, ca);
        }
        let here = "IP:127.0.0.1,DNS:localhost";
        certificate(&dir, "good", "ca", here, 30);
        certificate(&dir, "expired", "ca", here, -1);
        certificate(&dir, "other", "ca", "DNS:other.example", 30);
        certificate(&dir, "stranger", "foreign", here, 30);
        certificate(&dir, "client", "ca", here, 30);
        self_signed(&dir, "selfmade", here, 30);
        self_signed(&dir, "selfold", here, -1);
        self_signed(&dir, "selfother", "DNS:other.example", 30);
        certificate(&dir, "user", "ca", "DNS:user", 30);
        certificate(&dir, "baduser", "foreign", "DNS:user", 30);
        let listeners: Vec<_> = KINDS
            .iter()
            .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let ports: Vec<u16> = listeners
            .iter()
            .map(|l| l.local_addr().unwrap().port())
            .collect();
        drop(listeners);
        let d = dir.display();
        let mut servers = String::new();
        for (kind, port) in KINDS.iter().zip(&ports) {
            let asks = if *kind == "client" {
                format!("ssl_client_certificate {d}/ca.crt; ssl_verify_client on;")
            } else {
                String::new()
            };
            servers.push_str(&format!(
                "server {{ listen 127.0.0.1:{port} ssl; root {}; ssl_certificate {d}/{kind}.crt; \
                 ssl_certificate_key {d}/{kind}.key; {asks} }}\n",
                site.www().display()
            ));
        }
        let text = format!(
            "daemon off; master_process off; user root; pid {d}/pid; error_log {d}/error; events {{}} http {{ access_log off; \
             client_body_temp_path {d}/b; proxy_temp_path {d}/p; fastcgi_temp_path {d}/f; \
             uwsgi_temp_path {d}/u; scgi_temp_path {d}/s; {servers} }}"
        );
        std::fs::write(dir.join("conf"), text).unwrap();
        let nginx = Command::new("nginx")
            .arg("-c")
            .arg(dir.join("conf"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let began = Instant::now();
        for port in &ports {
            while std::net::TcpStream::connect(("127.0.0.1", *port)).is_err() {
                assert!(
                    began.elapsed() < Duration::from_secs(20),
                    "nginx did not come up"
                );
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Self { site, nginx, ports }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.site.path("tls").join(name)
    }

    fn request(&self, kind: &str, tls: Tls) -> FileRequest {
        let at = KINDS.iter().position(|known| *known == kind).unwrap();
        let mut request = self.site.request("f", &noise(3000));
        request.urls = vec![format!("https://127.0.0.1:{}/f", self.ports[at])];
        let timeout = Duration::from_secs(10);
        request.access = Arc::new(Access {
            tls,
            retries: 0,
            timeout,
            ..(*access()).clone()
        });
        request
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let _ = self.nginx.kill();
        let _ = self.nginx.wait();
    }
}

/// Fetches with only `bundle` as the system's CA file.
fn go(bundle: &Path, request: &FileRequest) -> Result<(), Cause> {
    let options = ClientOptions {
        ca_bundles: vec![bundle.to_owned()],
        ..ClientOptions::default()
    };
    let result = fetch_one(&Client::new(options), request, &Silent);
    let _ = std::fs::remove_file(&request.dest);
    result
        .map(|_| ())
        .map_err(|error| error.failures()[0].cause.clone())
}

fn fault(result: Result<(), Cause>) -> TlsFault {
    match result {
        Err(Cause::Tls { fault, .. }) => fault,
        other => panic!("not a TLS fault: {other:?}"),
    }
}

#[test]
fn row_79_certificates() {
    let servers = Servers::start();
    servers.site.put("f", &noise(3000));
    let ca = servers.path("ca.crt");
    let (none, plain) = (servers.path("no-such-file"), Tls::default());
    let with = |kind, tls: &Tls| servers.request(kind, tls.clone());

    assert_eq!(go(&ca, &with("good", &plain)), Ok(()));
    assert_eq!(fault(go(&ca, &with("expired", &plain))), TlsFault::Expired);
    assert_eq!(fault(go(&ca, &with("other", &plain))), TlsFault::WrongHost);
    assert_eq!(
        fault(go(&ca, &with("stranger", &plain))),
        TlsFault::UnknownCa
    );

    // No system bundle: Mozilla's certificates count, of which this server has none; without them, said plainly.
    let empty = servers.path("empty-bundle");
    std::fs::write(&empty, "").unwrap();
    let without = Tls {
        builtin_roots: false,
        ..plain.clone()
    };
    assert_eq!(fault(go(&none, &with("good", &plain))), TlsFault::UnknownCa);
    for (bundle, tls, words) in [
        (&none, &without, "ssl_builtin_roots=0"),
        (&empty, &plain, "empty-bundle: no certificate in it"),
    ] {
        let cause = go(bundle, &with("good", tls)).unwrap_err();
        assert!(cause.to_string().contains(words), "{cause}");
        assert_eq!(fault(Err(cause)), TlsFault::NoCa);
    }
    // sslcacert alone is enough (an empty chroot).
    let own = Tls {
        ca: Some(ca.clone()),
        ..plain.clone()
    };
    assert_eq!(go(&none, &with("good", &own)), Ok(()));
    let missing = Tls {
        ca: Some(none.clone()),
        ..plain.clone()
    };
    assert_eq!(fault(go(&ca, &with("good", &missing))), TlsFault::LocalFile);

    // A self-signed one that is named itself, while it is valid and for this host, and no other.
    assert_eq!(
        fault(go(&ca, &with("selfmade", &plain))),
        TlsFault::SelfSigned
    );
    for (kind, named, expected) in [
        ("selfmade", "selfmade", None),
        ("selfmade", "selfother", Some(TlsFault::SelfSigned)),
        ("selfold", "selfold", Some(TlsFault::Expired)),
        ("selfother", "selfother", Some(TlsFault::WrongHost)),
    ] {
        let own = Tls {
            ca: Some(servers.path(&format!("{named}.crt"))),
            ..plain.clone()
        };
        let got = go(&ca, &with(kind, &own));
        assert_eq!(got.err().map(|e| fault(Err(e))), expected, "{kind} {named}");
    }

    // sslverify=0 of this repository only.
    let blind = Tls {
        verify: false,
        ..plain.clone()
    };
    for kind in ["expired", "other", "stranger"] {
        assert_eq!(go(&none, &with(kind, &blind)), Ok(()), "{kind}");
    }

    // Client certificates.
    let user = |name: &str| Tls {
        client_cert: Some(servers.path(&format!("{name}.crt"))),
        client_key: Some(servers.path(&format!("{name}.key"))),
        ..plain.clone()
    };
    assert_eq!(go(&ca, &with("client", &user("user"))), Ok(()));
    // nginx lets the handshake pass and answers 400.
    assert_eq!(go(&ca, &with("client", &plain)), Err(Cause::Status(400)));
    assert_eq!(
        go(&ca, &with("client", &user("baduser"))),
        Err(Cause::Status(400))
    );
    assert_eq!(
        fault(go(&ca, &with("client", &user("nobody")))),
        TlsFault::LocalFile
    );

    own_files_that_cannot_be_used(&servers, &ca);
    certificates_of_the_environment(&servers, &ca);

    // Through a proxy's tunnel, with and without its login.
    let login = Some(("px".to_owned(), "pw".to_owned()));
    servers.site.server.always(
        "CONNECT",
        Answer {
            login,
            ..Answer::default()
        },
    );
    let through = |username: Option<&str>| {
        let proxy = Proxy {
            url: servers.site.server.url(""),
            username: username.map(str::to_owned),
            password: Some("pw".into()),
        };
        let options = ClientOptions {
            proxy: Route::Through(proxy),
            ca_bundles: vec![ca.clone()],
            ..ClientOptions::default()
        };
        let request = with("good", &plain);
        fetch_one(&Client::new(options), &request, &Silent)
    };
    let refused = through(None).unwrap_err();
    assert!(
        matches!(refused.failures()[0].cause, Cause::ProxyLogin(_)),
        "{refused}"
    );
    assert!(through(Some("px")).is_ok());

    // A redirect from https down to http is refused.
    let error = row_51_downgrade(&servers, &ca);
    assert!(matches!(error, Err(Cause::Redirect(_))), "{error:?}");
}

/// They take the place of the system's, and are trusted beside `sslcacert`.
fn certificates_of_the_environment(servers: &Servers, ca: &Path) {
    let foreign = servers.path("foreign.crt");
    let dir = |name: &str, files: &[&str]| {
        let dir = servers.path(name);
        std::fs::create_dir(&dir).unwrap();
        for (number, file) in files.iter().enumerate() {
            std::os::unix::fs::symlink(servers.path(file), dir.join(format!("0a1b2c3d.{number}")))
                .unwrap();
        }
        dir
    };
    let both = dir(
        "both",
        &["text", "ca.crt", "foreign.crt", "ca.crt", "absent"],
    );
    let useless = dir("useless", &["text"]);
    let empty = dir("empty", &[]);
    let pipe = both.join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let huge = servers.path("huge");
    std::fs::File::create(&huge)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let ask = |kind: &str, own: Option<&Path>, file: &Path, dirs: &str| {
        let tls = Tls {
            ca: own.map(Path::to_owned),
            ..Tls::default()
        };
        let options = ClientOptions {
            ca_bundles: vec![ca.to_owned()],
            ca_environment: CaEnvironment::of(Some(file.into()), Some(dirs.into())),
            ..ClientOptions::default()
        };
        let request = servers.request(kind, tls);
        let got = fetch_one(&Client::new(options), &request, &Silent);
        let _ = std::fs::remove_file(&request.dest);
        got.map(drop).map_err(|error| error.to_string())
    };
    let none = Path::new("");
    let unknown = "unknown CA";
    let colons = format!(":{}:{}:", empty.display(), both.display());
    for (kind, own, file, dirs, fault) in [
        ("good", None, none, "", ""),
        ("good", None, none, "::", ""),
        ("good", None, foreign.as_path(), "", unknown),
        ("stranger", None, &foreign, "", ""),
        ("good", Some(ca), &foreign, "", ""),
        ("stranger", Some(ca), none, "", unknown),
        ("good", None, none, both.to_str().unwrap(), ""),
        ("stranger", None, ca, both.to_str().unwrap(), ""),
        (
            "good",
            None,
            none,
            useless.to_str().unwrap(),
            "useless: no file with a certificate in it",
        ),
        ("good", None, none, &colons, "SSL_CERT_DIR: "),
        (
            "good",
            None,
            none,
            "/absent/dir",
            "SSL_CERT_DIR: /absent/dir: No such file",
        ),
        (
            "good",
            Some(ca),
            Path::new("absent"),
            "",
            "SSL_CERT_FILE: absent: No such file",
        ),
        ("good", None, &pipe, "", "pipe: not a regular file"),
        ("good", None, &both, "", "both: not a regular file"),
        ("good", None, &huge, "", "huge: larger than"),
        (
            "good",
            None,
            Path::new("/dev/zero"),
            "",
            "/dev/zero: not a regular file",
        ),
    ] {
        match (ask(kind, own, file, dirs), fault) {
            (Ok(()), "") => {}
            (Err(why), fault) if !fault.is_empty() && why.contains(fault) => {}
            (got, _) => panic!("{kind} {own:?} {file:?} {dirs}: {got:?}, not {fault:?}"),
        }
    }
}

/// Each fault names the file and what is wrong with it, in plain words.
fn own_files_that_cannot_be_used(servers: &Servers, ca: &Path) {
    let dir = servers.path("");
    openssl(&dir, "x509 -in user.crt -outform DER -out user.der");
    openssl(&dir, "ec -in user.key -outform DER -out userkey.der");
    let whole = std::fs::read(servers.path("user.crt")).unwrap();
    std::fs::write(servers.path("cut.crt"), &whole[..200]).unwrap();
    std::fs::write(servers.path("text"), "no PEM").unwrap();
    for (cert, key, words) in [
        (
            "user.der",
            "user.key",
            "user.der: no certificate in it as PEM: it seems to be DER",
        ),
        (
            "user.crt",
            "userkey.der",
            "userkey.der: no private key in it as PEM: it seems to be DER",
        ),
        ("cut.crt", "user.key", "cut.crt: it is cut off"),
        ("text", "user.key", "text: no certificate in it"),
        ("user.crt", "text", "text: no private key in it"),
        ("user.key", "user.crt", "user.crt: no private key in it"),
        (
            "user.crt",
            "baduser.key",
            "baduser.key: the key does not belong",
        ),
        ("user.crt", "absent", "absent: No such file"),
    ] {
        let tls = Tls {
            client_cert: Some(servers.path(cert)),
            client_key: Some(servers.path(key)),
            ..Tls::default()
        };
        let cause = go(ca, &servers.request("client", tls)).unwrap_err();
        assert!(cause.to_string().contains(words), "{cert} {key}: {cause}");
    }
}

/// nginx redirects a folder's name to the folder, over http if told so.
fn row_51_downgrade(servers: &Servers, ca: &Path) -> Result<(), Cause> {
    // The tunnel ends at our own plain server for this host name, so make the redirect there:
    // a TLS server that answers with our bytes is openssl's.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let page = servers.path("moved");
    std::fs::write(
        &page,
        "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/f\r\nContent-Length: 0\r\n\r\n",
    )
    .unwrap();
    let mut tls_server = Command::new("openssl")
        .args([
            "s_server", "-quiet", "-HTTP", "-cert", "good.crt", "-key", "good.key", "-accept",
        ])
        .arg(format!("127.0.0.1:{port}"))
        .current_dir(servers.path(""))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err()
        && began.elapsed().as_secs() < 10
    {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut request = servers.request("good", Tls::default());
    request.urls = vec![format!("https://127.0.0.1:{port}/moved")];
    let _ = std::fs::remove_file(&request.dest);
    let outcome = go(ca, &request);
    tls_server.kill().unwrap();
    tls_server.wait().unwrap();
    outcome
}
