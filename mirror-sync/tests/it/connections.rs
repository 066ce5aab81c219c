//! How many connections a client may have, and how many that rest hold.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::pki_types::pem::PemObject;

use crate::doors::{Authority, until};
use crate::scene::Scene;
use crate::serving::{Serving, curl};

/// A connection from this address.
fn connect(from: &str, serving: &Serving) -> TcpStream {
    use socket2::{Domain, Socket, Type};
    let address = |text: &str| text.parse::<SocketAddr>().unwrap().into();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&address(&format!("{from}:0"))).unwrap();
    socket.connect(&address(&serving.address)).unwrap();
    socket.into()
}

/// A client that has as many connections as it may gives one of its own for the next, and no other client's.
#[test]
fn row_116_connections_of_one_client_are_limited() {
    let scene = Scene::usual();
    scene.config("[serve]\nconnections_per_client = 8\n");
    scene.sync();
    let serving = Serving::start(&scene);
    let is_open = |stream: &TcpStream| {
        stream.set_nonblocking(true).unwrap();
        let read = (&*stream).read(&mut [0; 1]);
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    };
    let other = connect("127.0.0.3", &serving);
    let many: Vec<_> = (0..40).map(|_| connect("127.0.0.2", &serving)).collect();
    let open = || many.iter().filter(|one| is_open(one)).count();
    until("more than eight are closed", || open() == 8);
    // They are idle: one of them goes for a request that is new.
    std::thread::sleep(Duration::from_millis(1100));
    let get = |from: &str| {
        curl(&[
            "-f",
            "-m",
            "20",
            "--interface",
            from,
            &serving.url("/healthz"),
        ])
    };
    get("127.0.0.2").ends(0);
    until("one is closed", || open() == 7);
    get("127.0.0.4").ends(0);
    assert_eq!((open(), is_open(&other)), (7, true));
}

/// Idle connections hold with TLS, too; a client that never says hello keeps nobody waiting.
#[test]
fn row_116_idle_connections_hold_with_tls() {
    use tokio_rustls::rustls;
    let scene = Scene::usual();
    let authority = Authority::new(scene.path("ca"));
    authority.signs("server");
    scene.config(&format!(
        "[serve]\nmax_connections = 1000\ntls_cert = {:?}\ntls_key = {:?}\n",
        authority.file("server.pem"),
        authority.file("server.key")
    ));
    scene.sync();
    let serving = Serving::start(&scene);
    let mut roots = rustls::RootCertStore::empty();
    let ca = fs::read(authority.file("ca.pem")).unwrap();
    for one in rustls::pki_types::CertificateDer::pem_slice_iter(&ca) {
        roots.add(one.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let before = serving.peak();
    let silent: Vec<_> = (0..100).map(|_| connect("127.0.0.2", &serving)).collect();
    let open = |_| {
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let client = rustls::ClientConnection::new(Arc::clone(&config), name).unwrap();
        let mut stream = rustls::StreamOwned::new(client, connect("127.0.0.3", &serving));
        let ask = b"HEAD /base/repodata/repomd.xml HTTP/1.1\r\nHost: m\r\n\r\n";
        stream.write_all(ask).unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        stream
    };
    let idle: Vec<_> = (0..600).map(open).collect();
    let began = Instant::now();
    let ca = authority.file("ca.pem");
    curl(&["-f", "-m", "20", "--cacert", &ca, &serving.url("/healthz")]).ends(0);
    let (waited, peak) = (began.elapsed(), serving.peak());
    let each = peak.saturating_sub(before) / (idle.len() + silent.len()) as u64;
    println!("curl took {waited:?}, the server {peak} KiB, {each} KiB each");
    assert!(waited < Duration::from_secs(5), "{waited:?}");
    assert!(each < 64, "{each} KiB");
}
