//! Doors that lock: TLS, certificates of clients, and tokens; with curl, dnf and tdnf.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use testkit::program::Run;

use crate::repo_file::{both_install, tdnf_installs};
use crate::scene::Scene;
use crate::serving::{Serving, curl};

/// Two tokens, for two repositories.
pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210";

/// An authority of its own, whose files lie in a folder.
pub(crate) struct Authority {
    dir: PathBuf,
}

impl Authority {
    pub(crate) fn new(dir: PathBuf) -> Self {
        fs::create_dir_all(&dir).unwrap();
        let ours = Self { dir };
        ours.openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority \
             -keyout ca.key -out ca.pem",
        );
        ours
    }

    fn openssl(&self, words: &str) {
        let mut command = Command::new("openssl");
        command.args(words.split_whitespace());
        Run::of(command.current_dir(&self.dir).output().unwrap()).ends(0);
    }

    /// Makes `NAME.key` and `NAME.pem`.
    pub(crate) fn signs(&self, name: &str) {
        self.openssl(&format!(
            "req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key \
             -out {name}.csr"
        ));
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost\n";
        fs::write(self.dir.join("names"), names).unwrap();
        self.openssl(&format!(
            "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out {name}.pem"
        ));
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.dir.join(name).to_str().unwrap().to_owned()
    }
}

/// Writes a file of tokens.
pub(crate) fn tokens(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// `serve` with what it says on standard error in a file.
fn serving(scene: &Scene, said: &Path) -> Serving {
    let mut command = scene.command(&["serve", "--listen", "127.0.0.1:0"]);
    Serving::of(command.stderr(Stdio::from(fs::File::create(said).unwrap())))
}

#[test]
fn tdnf_and_dnf_come_in_by_tls_certificate_and_token() {
    let scene = Scene::usual();
    let authority = Authority::new(scene.path("ca"));
    authority.signs("server");
    authority.signs("client");
    tokens(&scene.path("tokens"), &format!("# office\n{TOKEN}\n"));
    scene.config(&format!(
        "gpgcheck = false\ntokens_file = {:?}\n[serve]\ntls_cert = {:?}\ntls_key = {:?}\ntls_client_ca = {:?}\n",
        scene.path("tokens"),
        authority.file("server.pem"),
        authority.file("server.key"),
        authority.file("ca.pem"),
    ));
    scene.sync();
    let serving = Serving::start(&scene);
    let index = serving.url("/base/repodata/repomd.xml");
    assert!(index.starts_with("https://"), "{index}");
    let (ca, cert, key) = (
        authority.file("ca.pem"),
        authority.file("client.pem"),
        authority.file("client.key"),
    );
    let with = ["--cacert", &ca, "--cert", &cert, "--key", &key, "-f"];
    let ask = |more: &[&str]| curl(&[&with, more].concat());
    let bearer = format!("Authorization: Bearer {TOKEN}");
    ask(&["-H", &bearer, &index]).ends(0);
    ask(&["-u", &format!("anybody:{TOKEN}"), &index]).ends(0);
    // Without a token, with a wrong one, without a certificate, without TLS.
    assert_eq!(ask(&[&index]).code, 22);
    assert_eq!(ask(&["-u", &format!("me:{OTHER}"), &index]).code, 22);
    let alone = curl(&["--cacert", &ca, "-H", &bearer, &index]);
    assert_ne!(alone.code, 0, "{}", alone.text());
    assert_ne!(curl(&[&index.replace("https", "http")]).code, 0);
    let text = ask(&["-u", &format!("me:{TOKEN}"), &serving.url("/mirror.repo")]);
    let text = text.ends(0).out;
    let lines = format!(
        "[base]\nname=base\nbaseurl={}\nenabled=1\ngpgcheck=0\nrepo_gpgcheck=0\nusername=me\npassword={TOKEN}\n",
        serving.url("/base")
    );
    assert!(text.contains(&lines), "{text}");
    assert!(text.contains("# Clients need a certificate"), "{text}");
    let tls = format!("sslcacert={ca}\nsslclientcert={cert}\nsslclientkey={key}\n");
    both_install(&scene, "login", &format!("{text}{tls}"));
    // tdnf alone has a file for the header.
    scene.write("header", format!("{bearer}\n"));
    let section = format!(
        "[m]\nname=m\nbaseurl={}\nenabled=1\ngpgcheck=0\n{tls}auth_header_file={}\n",
        serving.url("/base"),
        scene.path("header").display()
    );
    tdnf_installs(&scene, "header-file", &section);
}

/// A certificate is renewed while clients come; a broken one leaves the old, and is told once.
#[test]
fn certificates_and_tokens_are_read_again() {
    let scene = Scene::usual();
    let old = Authority::new(scene.path("old"));
    let new = Authority::new(scene.path("new"));
    for authority in [&old, &new] {
        authority.signs("server");
    }
    let (cert, key, list) = (scene.path("cert"), scene.path("key"), scene.path("tokens"));
    let put = |authority: &Authority| {
        fs::copy(authority.file("server.pem"), &cert).unwrap();
        fs::copy(authority.file("server.key"), &key).unwrap();
    };
    put(&old);
    tokens(&list, &format!("{TOKEN}\n"));
    scene.config(&format!(
        "[serve]\ntls_cert = {cert:?}\ntls_key = {key:?}\ntokens_file = {list:?}\n"
    ));
    scene.sync();
    let said = scene.path("said");
    let serving = serving(&scene, &said);
    let index = serving.url("/base/repodata/repomd.xml");
    let gets = |authority: &Authority, token: &str| {
        let (ca, login) = (authority.file("ca.pem"), format!("me:{token}"));
        curl(&[
            "-f",
            "-o",
            "/dev/null",
            "--cacert",
            &ca,
            "-u",
            &login,
            &index,
        ])
        .code
    };
    assert_eq!(
        (gets(&old, TOKEN), gets(&new, TOKEN), gets(&old, OTHER)),
        (0, 60, 22)
    );
    put(&new);
    until("the new certificate counts", || gets(&new, TOKEN) == 0);
    fs::write(&cert, "no certificate").unwrap();
    let told = || fs::read_to_string(&said).unwrap();
    let warned = || told().matches("warning: ").count();
    until("a broken one is told", || warned() == 1);
    assert!(told().contains("serve.tls_cert: "), "{}", told());
    tokens(&list, &format!("{OTHER}\n"));
    until("the new token counts", || gets(&new, OTHER) == 0);
    assert_eq!(gets(&new, TOKEN), 22);
    // Nobody may have the tokens of a file that is open to all.
    fs::set_permissions(&list, fs::Permissions::from_mode(0o644)).unwrap();
    until("an open file is told", || warned() == 2);
    assert_eq!(gets(&new, OTHER), 0);
    assert!(
        !told().contains(TOKEN) && !told().contains(OTHER),
        "{}",
        told()
    );
    // Asked for, it is tried again, and told again.
    serving.signal("HUP");
    until("both are told again", || warned() == 4);
    put(&old);
    until("and it goes on", || gets(&old, OTHER) == 0);
}

/// All ways to a locked repository are locked, and who has no token does not hear of it.
#[test]
fn row_116_a_locked_repository_is_locked_on_all_its_paths() {
    let scene = Scene::usual();
    for repo in ["secret", "former"] {
        scene.put(repo, "delta", "1", "");
        scene.publish(repo);
    }
    tokens(&scene.path("tokens"), &format!("{TOKEN}\n"));
    tokens(&scene.path("others"), &format!("{OTHER}\n"));
    let url = |repo: &str| scene.server.url(&format!("/{repo}"));
    let config = |former: &str| {
        let text = format!(
            "[mirror]\npath = {:?}\n[repo.base]\nbaseurl = {:?}\ngpgcheck = false\n\
             [repo.secret]\nname = \"Hidden\"\nbaseurl = {:?}\ntokens_file = {:?}\n\
             [repo.third]\nmode = \"proxy\"\nbaseurl = {:?}\ntokens_file = {:?}\n{former}",
            scene.path("mirror"),
            url("base"),
            url("secret"),
            scene.path("tokens"),
            url("secret"),
            scene.path("others"),
        );
        scene.config_text(&text);
    };
    config(&format!("[repo.former]\nbaseurl = {:?}\n", url("former")));
    scene.sync();
    scene
        .run(&["snapshot", "promote", "secret", "--to", "prod"])
        .ends(0);
    config("");
    let list = scene
        .run(&["snapshot", "list", "secret", "--json"])
        .ends(0)
        .json();
    let stamp = list[0]["stamp"].as_str().unwrap().to_owned();
    let serving = Serving::start(&scene);
    let auth = |token: &str| format!("Authorization: bearer {token}\r\n");
    let get = |path: &str, headers: &str| serving.status("GET", path, headers);
    let index = "repodata/repomd.xml";
    for path in [
        format!("/secret/{index}"),
        format!("//secret//{index}"),
        format!("/%73ecret/{index}"),
        format!("/./secret/{index}"),
        format!("/prod/secret/{index}"),
        format!("/snapshots/secret/{stamp}/{index}"),
        format!("/@{stamp}/secret/{index}"),
        format!("/secret/{index}?token={TOKEN}"),
        "/secret".to_owned(),
        "/secret/nosuch".to_owned(),
        "/keys/secret-0.asc".to_owned(),
    ] {
        for headers in [
            String::new(),
            auth(OTHER),
            auth("short"),
            "Authorization: x\r\n".into(),
        ] {
            let (code, answer) = get(&path, &headers);
            assert_eq!(code, 401, "{path} {headers}: {answer}");
            let lower = answer.to_lowercase();
            assert!(lower.contains("www-authenticate: basic realm"), "{answer}");
            assert!(lower.contains("www-authenticate: bearer realm"), "{answer}");
        }
        let (code, answer) = get(&path, &auth(TOKEN));
        let there = path.contains(index);
        let expected = match path.as_str() {
            // A folder, with a slash at its end.
            "/secret" => 301,
            _ if there => 200,
            _ => 404,
        };
        assert_eq!(code, expected, "{path}: {answer}");
    }
    // Folders above it and the search have no word of it for others.
    let package = scene
        .path("up/secret/Packages")
        .read_dir()
        .unwrap()
        .flatten();
    let package = package.map(|entry| entry.file_name().into_string().unwrap());
    let name = package.map(|name| name.split('-').next().unwrap().to_owned());
    let name = name.into_iter().next().unwrap();
    for (path, word) in [
        ("/prod/".to_owned(), "secret/"),
        ("/snapshots/".to_owned(), "secret/"),
        (format!("/search?q={name}"), "/secret/"),
    ] {
        assert!(!get(&path, "").1.contains(word), "{path}");
        let (code, answer) = get(&path, &auth(TOKEN));
        assert!(code == 200 && answer.contains(word), "{path}: {answer}");
    }
    let third = format!("/third/{index}");
    assert_eq!((get(&third, "").0, get(&third, &auth(TOKEN)).0), (401, 401));
    assert_eq!(get(&third, &auth(OTHER)).0, 200);
    // What is open stays open, for whoever shows what.
    for headers in [String::new(), auth(OTHER)] {
        assert_eq!(get(&format!("/base/{index}"), &headers).0, 200);
    }
    // What was taken out of the configuration may have been locked.
    assert!(scene.public(&format!("former/{index}")).is_file());
    assert_eq!(get(&format!("/former/{index}"), "").0, 404);
    assert_eq!(
        get(&format!("/snapshots/former/{stamp}/{index}"), "").0,
        404
    );
    for page in ["/", "/mirror.repo", "/status.json", "/metrics"] {
        let (code, answer) = get(page, "");
        assert_eq!(code, 200, "{answer}");
        assert!(answer.contains("base"), "{page}: {answer}");
        for hidden in ["secret", "Hidden", "third"] {
            assert!(!answer.contains(hidden), "{page}: {answer}");
        }
        let (code, answer) = get(page, &auth(TOKEN));
        assert_eq!(code, 200, "{answer}");
        assert!(
            answer.contains("secret") && !answer.contains("third"),
            "{page}: {answer}"
        );
        assert!(
            answer.to_lowercase().contains("cache-control: private"),
            "{answer}"
        );
        assert_eq!(get(page, &auth("0123456789abcdef")).0, 401, "{page}");
    }
    assert_eq!(get("/healthz", "").0, 200);
    fs::write(scene.path("mirror/state/secret/state.json"), "{").unwrap();
    let (code, answer) = get("/healthz", "");
    assert_eq!(code, 503, "{answer}");
    assert!(
        !answer.contains("secret") && answer.contains("wants a token"),
        "{answer}"
    );
    let (code, answer) = get("/healthz", &auth(TOKEN));
    assert!(code == 503 && answer.contains("secret"), "{answer}");
}

/// What was taken out of the configuration may have been locked, whether anything else is or not.
#[test]
fn what_was_taken_out_of_the_configuration_is_not_shown() {
    let scene = Scene::usual();
    for repo in ["secret", "Packages"] {
        scene.put(repo, "hidden", "1", "");
        scene.publish(repo);
    }
    tokens(&scene.path("tokens"), &format!("{TOKEN}\n"));
    let url = |repo: &str| scene.server.url(&format!("/{repo}"));
    let config = |more: &str| {
        scene.config_text(&format!(
            "[mirror]\npath = {:?}\n[repo.base]\nbaseurl = {:?}\ngpgcheck = false\n{more}",
            scene.path("mirror"),
            url("base"),
        ));
    };
    config(&format!(
        "[repo.secret]\nbaseurl = {:?}\ntokens_file = {:?}\n[repo.Packages]\nbaseurl = {:?}\n",
        url("secret"),
        scene.path("tokens"),
        url("Packages"),
    ));
    scene.sync();
    for repo in ["secret", "base"] {
        scene
            .run(&["snapshot", "promote", repo, "--to", "prod"])
            .ends(0);
    }
    let list = scene.run(&["snapshot", "list", "secret", "--json"]).ends(0);
    let stamp = list.json()[0]["stamp"].as_str().unwrap().to_owned();
    fs::create_dir_all(scene.path("mirror/public/keys")).unwrap();
    scene.write("mirror/public/keys/secret-0.asc", "a key");
    scene.write("mirror/public/keys/ancient-0.asc", "a key");
    config("");
    let index = "repodata/repomd.xml";
    let check = || {
        let serving = Serving::start(&scene);
        let get = |path: &str| serving.status("GET", path, "");
        for path in [
            format!("/secret/{index}"),
            format!("//%73ecret/./{index}"),
            format!("/prod/secret/{index}"),
            format!("/snapshots/secret/{stamp}/{index}"),
            format!("/@{stamp}/secret/{index}"),
            "/secret".to_owned(),
            "/secret/".to_owned(),
            "/prod/secret/".to_owned(),
            "/snapshots/secret/".to_owned(),
            format!("/Packages/{index}"),
            "/keys/secret-0.asc".to_owned(),
            "/keys/ancient-0.asc".to_owned(),
        ] {
            let (code, answer) = get(&path);
            assert_eq!(code, 404, "{path}: {answer}");
        }
        for page in [
            "/prod/",
            "/snapshots/",
            "/keys/",
            "/search?q=hidden",
            "/mirror.repo",
            "/status.json",
        ] {
            let (code, answer) = get(page);
            assert_eq!(code, 200, "{page}: {answer}");
            for gone in ["secret", "hidden-1", "ancient"] {
                assert!(!answer.contains(gone), "{page}: {answer}");
            }
        }
        // A folder of another repository that is called like one of them, and what is still there.
        for path in [
            "/base/Packages/".to_owned(),
            format!("/base/{index}"),
            format!("/prod/base/{index}"),
        ] {
            assert_eq!(get(&path).0, 200, "{path}");
        }
    };
    check();
    fs::remove_dir_all(scene.path("mirror/state/secret")).unwrap();
    check();
}

#[test]
fn what_locks_nothing_stops_the_start() {
    let scene = Scene::usual();
    let authority = Authority::new(scene.path("ca"));
    authority.signs("server");
    authority.signs("client");
    let file = |name: &str| authority.file(name);
    let open = scene.write("open", format!("{TOKEN}\n"));
    let weak = scene.path("weak");
    tokens(&weak, "secret\n");
    for (lines, said) in [
        (
            format!("tls_key = {:?}", file("server.key")),
            "serve.tls_key needs serve.tls_cert",
        ),
        (
            format!("tls_client_ca = {:?}", file("ca.pem")),
            "serve.tls_client_ca needs serve.tls_cert",
        ),
        (
            format!("tls_cert = {:?}", file("server.pem")),
            "serve.tls_key: ",
        ),
        (
            format!(
                "tls_cert = {:?}\ntls_key = {:?}",
                file("server.pem"),
                file("client.key")
            ),
            "does not belong to the certificate",
        ),
        (
            format!(
                "tls_cert = {:?}\ntls_key = {:?}",
                file("server.key"),
                file("server.key")
            ),
            "serve.tls_cert: ",
        ),
        (
            format!("tls_cert = {:?}", scene.path("nosuch")),
            "nosuch: cannot read",
        ),
        (format!("tokens_file = {open:?}"), "chmod o= "),
        (format!("tokens_file = {weak:?}"), "line 1 is no token"),
        (
            "access_log = \"/nosuch/dir/log\"".to_owned(),
            "/nosuch/dir/log: cannot write",
        ),
        (
            "access_log_format = \"xml\"".to_owned(),
            "unknown variant `xml`",
        ),
    ] {
        scene.config(&format!("[serve]\n{lines}\n"));
        let run = scene.run(&["serve", "--listen", "127.0.0.1:0"]);
        assert!(run.code == 1 || run.code == 2, "{lines}: {run:?}");
        assert!(run.err.contains(said), "{lines}: {}", run.err);
        assert!(!run.err.contains("secret"), "{}", run.err);
        assert_eq!(run.err.lines().count(), 1, "{}", run.err);
    }
}

#[test]
fn what_may_not_be_meant_is_said_at_the_start() {
    let scene = Scene::usual();
    let authority = Authority::new(scene.path("ca"));
    authority.signs("server");
    let key = scene.path("ca/server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    tokens(&scene.path("none"), "# nobody yet\n");
    let config = fs::read_to_string(scene.path("mirror.toml")).unwrap();
    let config = config.replacen("[repo", "url = \"http://mirror.example\"\n[repo", 1);
    scene.config_text(&format!(
        "{config}[serve]\ntls_cert = {:?}\ntls_key = {key:?}\ntokens_file = {:?}\n",
        authority.file("server.pem"),
        scene.path("none")
    ));
    let said = scene.path("said");
    drop(serving(&scene, &said));
    let said = fs::read_to_string(&said).unwrap();
    for line in [
        "/none: no token is in it: nobody comes in\n",
        "warning: mirror.url = http://mirror.example: TLS is spoken here: ",
        "warning: serve.tls_key: everybody may read the key: `chmod o-r ",
    ] {
        assert!(said.contains(line), "{said}");
    }
    assert_eq!(said.lines().count(), 3, "{said}");
}
