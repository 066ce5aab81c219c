//! What the cases stand on: a large repository over loopback HTTP, roots, installed packages.

use crate::cases::{once, tdnf};
use crate::limit::Group;
use crate::managers::{Job, Managers};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The five packages of the project's first promise.
pub(crate) const FIVE: [&str; 5] = ["ipset", "socat", "ethtool", "ebtables", "tar"];

/// Everything set up once; the server ends with it.
pub(crate) struct Lab {
    /// The program under test.
    pub tdnf: PathBuf,
    /// Scratch folder for roots and logs.
    pub scratch: PathBuf,
    /// The package managers of the machine beside ours.
    pub managers: Managers,
    /// What `/big/` serves.
    big: PathBuf,
    /// True when `/big/` serves the 65,484-package repository, false for the recipe's own.
    pub big_is_real: bool,
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    /// What each request to any of the servers got, a line of bytes each.
    pub requests: PathBuf,
    /// The small ones of each series, and no more than takes ten minutes.
    pub quick: bool,
    /// A control group of 128 MB, where one can be made.
    pub group: Option<Group>,
    /// What was found out besides the timed runs.
    pub notes: Vec<crate::report::Note>,
    server: Child,
    more: Vec<Child>,
    _scratch_guard: Scratch,
}

/// Removes the scratch folder at the end.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for server in std::iter::once(&mut self.server).chain(&mut self.more) {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

/// Runs a set-up command and demands success.
pub(crate) fn must(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Where the recipe puts what it makes.
pub(crate) fn cache() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into()));
    std::env::var_os("TDNF_CACHE").map_or_else(|| home().join(".cache/tdnf-dev"), PathBuf::from)
}

/// The generator of large metadata, when the shared folder is there.
fn generator(project: &Path) -> Option<PathBuf> {
    let shared = std::env::var_os("TDNF_SHARED").map(PathBuf::from);
    let places = shared
        .into_iter()
        .chain([project.join("../shared"), project.join("../../shared")]);
    places
        .map(|p| p.join("tools/debian_rpmmd.py"))
        .find(|p| p.is_file())
}

fn large_repository(project: &Path, recipe: &Path) -> Result<(PathBuf, bool), String> {
    let made = cache().join("big");
    if made.join("repodata/repomd.xml").is_file() {
        return Ok((made, true));
    }
    let Some(script) = generator(project) else {
        eprintln!("the 65,484-package generator is not here: using the recipe repository instead");
        return Ok((recipe.to_owned(), false));
    };
    eprintln!(
        "making the large repository (once, into {})",
        made.display()
    );
    must(Command::new("apt-get").args(["install", "-y", "-qq", "apt-file", "lz4"]))?;
    must(Command::new("apt-file").arg("update"))?;
    must(Command::new("apt-get").arg("update"))?;
    must(Command::new("python3").arg(script).arg(&made))?;
    Ok((made, true))
}

pub(crate) fn free_port() -> Result<u16, String> {
    let socket = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    Ok(socket.local_addr().map_err(|e| e.to_string())?.port())
}

/// Another nginx that lives as long as the lab, with these locations; its URL.
pub(crate) fn serve_more(lab: &mut Lab, locations: &str) -> Result<String, String> {
    serve_with(lab, "", locations)
}

/// The same with lines of the `http` block, and bodies of any size; its URL.
pub(crate) fn serve_with(lab: &mut Lab, http: &str, locations: &str) -> Result<String, String> {
    let scratch = lab.scratch.join(format!("server-{}", lab.more.len()));
    std::fs::create_dir_all(&scratch).map_err(|e| e.to_string())?;
    let (child, url) = serve(&scratch, &lab.requests, http, locations)?;
    lab.more.push(child);
    Ok(url)
}

/// nginx with a configuration of its own, as one process in the foreground, on loopback.
fn serve(
    scratch: &Path,
    log: &Path,
    http: &str,
    locations: &str,
) -> Result<(Child, String), String> {
    let port = free_port()?;
    let configuration = format!(
        "daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log; user root;\n\
         events {{}}\nhttp {{ log_format bytes '$body_bytes_sent'; access_log {log} bytes; sendfile on;\n\
         client_body_temp_path {dir}/b; proxy_temp_path {dir}/p; fastcgi_temp_path {dir}/f;\n\
         uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;\n{http}\n\
         server {{ listen 127.0.0.1:{port};\n{locations} }} }}\n",
        dir = scratch.display(),
        log = log.display(),
    );
    let file = scratch.join("nginx.conf");
    std::fs::write(&file, configuration).map_err(|e| e.to_string())?;
    let child = Command::new("nginx")
        .arg("-c")
        .arg(&file)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("nginx: {e}"))?;
    for _ in 0..100 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok((child, format!("http://127.0.0.1:{port}")));
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    Err("nginx did not come up".to_owned())
}

impl Lab {
    pub(crate) fn set_up(tdnf: &Path, quick: bool) -> Result<Lab, String> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        must(
            Command::new("bash")
                .arg(project.join("fixtures/recipe/build.sh"))
                .arg(cache().join("repo")),
        )?;
        let recipe = cache()
            .join("repo")
            .canonicalize()
            .map_err(|e| format!("recipe: {e}"))?;
        let (big, big_is_real) = large_repository(&project, &recipe)?;
        let scratch = std::env::temp_dir().join(format!("tdnf-bench-{}", std::process::id()));
        std::fs::create_dir_all(&scratch).map_err(|e| e.to_string())?;
        let guard = Scratch(scratch.clone());
        let locations = format!(
            "location /big/ {{ alias {}/; }}\nlocation /recipe/ {{ alias {}/; }}",
            big.display(),
            recipe.display()
        );
        let requests = scratch.join("requests.txt");
        let (server, url) = serve(&scratch, &requests, "", &locations)?;
        let tdnf = tdnf.to_owned();
        Ok(Lab {
            tdnf,
            scratch,
            managers: Managers::find(),
            big,
            big_is_real,
            url,
            requests,
            quick,
            group: Group::new(128 << 20),
            notes: Vec::new(),
            server,
            more: Vec::new(),
            _scratch_guard: guard,
        })
    }

    /// Fills the caches of all for a root. A manager that cannot do it is left out of the cases that need them.
    pub(crate) fn warm(&self, root: &Path) -> Result<(), String> {
        once(&tdnf(self, root, &["makecache"], &[0]), &self.scratch)?;
        for (name, program) in self.managers.programs(root, Job::Makecache) {
            if let Err(why) = program.run(&self.scratch) {
                eprintln!("benches: {name} has no metadata: {why}");
            }
        }
        Ok(())
    }

    /// The file of the large repository that has this metadata.
    pub(crate) fn metadata(&self, kind: &str) -> Result<String, String> {
        let folder = self.big.join("repodata");
        let entries =
            std::fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let mut paths = entries.filter_map(|entry| Some(entry.ok()?.path().display().to_string()));
        let found = paths.find(|path| path.contains(&format!("{kind}.xml")));
        found.ok_or_else(|| format!("{}: no {kind}", folder.display()))
    }

    /// A root with configuration for all programs and one repository; `extra` goes into its section.
    pub(crate) fn root(&self, name: &str, repo: &str, extra: &str) -> Result<PathBuf, String> {
        self.root_at(name, repo, &format!("{}/{repo}/", self.url), extra)
    }

    /// The same with a repository at any URL.
    pub(crate) fn root_at(
        &self,
        name: &str,
        repo: &str,
        url: &str,
        extra: &str,
    ) -> Result<PathBuf, String> {
        let root = self.scratch.join(name);
        let write = |path: &str, text: &str| -> Result<(), String> {
            let path = root.join(path);
            let parent = path.parent().ok_or("a path without a parent")?;
            std::fs::create_dir_all(parent).map_err(|e| e.to_string())?;
            std::fs::write(&path, text).map_err(|e| format!("{}: {e}", path.display()))
        };
        write(
            "etc/tdnf/tdnf.conf",
            "[main]\ngpgcheck=0\nkeepcache=0\ncachedir=/var/cache/tdnf\n",
        )?;
        write("etc/dnf.conf", "[main]\ngpgcheck=0\nplugins=0\n")?;
        let place = root.display();
        write(
            "etc/ctdnf.conf",
            &format!(
                "[main]\ngpgcheck=0\nrepodir={place}/etc/yum.repos.d\ncachedir={place}/var/cache/ctdnf\n"
            ),
        )?;
        // Debian's librpm keeps a user's database elsewhere: dnf would see nothing installed.
        write("root/.rpmmacros", "%_dbpath /var/lib/rpm\n")?;
        let section =
            format!("[{repo}]\nname={repo}\nbaseurl={url}\nenabled=1\ngpgcheck=0\n{extra}\n");
        write(&format!("etc/yum.repos.d/{repo}.repo"), &section)?;
        Ok(root)
    }

    /// 300 small packages in the database of a root, put there by the real rpm.
    pub(crate) fn fill(&self, root: &Path, count: usize) -> Result<(), String> {
        let top = self.scratch.join("rpmbuild");
        let packages = top.join("RPMS/noarch");
        if !packages.is_dir() {
            std::fs::create_dir_all(&top).map_err(|e| e.to_string())?;
            let mut spec = String::from(
                "Name: installed\nVersion: 1\nRelease: 1\nSummary: s\nLicense: MIT\nBuildArch: noarch\n\
                 %description\nd\n%install\nmkdir -p %{buildroot}/opt/installed\n\
                 for i in $(seq 1 COUNT); do for j in $(seq 1 20); do echo $i > %{buildroot}/opt/installed/f$i-$j; done; done\n",
            )
            .replace("COUNT", &count.to_string());
            for i in 1..=count {
                spec.push_str(&format!(
                    "%package -n inst{i}\nSummary: number {i}\nProvides: virtual({i}) = {i}\n\
                     %description -n inst{i}\nd\n%files -n inst{i}\n/opt/installed/f{i}-*\n"
                ));
            }
            let file = top.join("installed.spec");
            std::fs::write(&file, spec).map_err(|e| e.to_string())?;
            must(
                Command::new("rpmbuild")
                    .args(["-bb", "--quiet", "--define"])
                    .arg(format!("_topdir {}", top.display()))
                    .arg(&file),
            )?;
        }
        enter(root, &packages)
    }

    /// Packages of these names in version 0, without files.
    pub(crate) fn fill_old(&self, root: &Path, names: &[String]) -> Result<(), String> {
        let top = self.scratch.join("rpmbuild-old");
        std::fs::create_dir_all(&top).map_err(|e| e.to_string())?;
        let mut spec = String::from(
            "Name: old\nVersion: 0\nRelease: 0\nSummary: s\nLicense: MIT\nBuildArch: noarch\n%description\nd\n",
        );
        for name in names {
            spec.push_str(&format!(
                "%package -n {name}\nSummary: old\n%description -n {name}\nd\n%files -n {name}\n"
            ));
        }
        let file = top.join("old.spec");
        std::fs::write(&file, spec).map_err(|e| e.to_string())?;
        must(
            Command::new("rpmbuild")
                .args(["-bb", "--quiet", "--define"])
                .arg(format!("_topdir {}", top.display()))
                .arg(&file),
        )?;
        enter(root, &top.join("RPMS/noarch"))
    }
}

/// The packages of a folder in the database of a root, by the real rpm.
fn enter(root: &Path, packages: &Path) -> Result<(), String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(packages)
        .map_err(|e| e.to_string())?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .collect();
    files.sort();
    must(
        Command::new("rpm")
            .args(["-i", "--justdb", "--nodeps", "--nosignature", "--root"])
            .arg(root)
            .args(["--dbpath", "/var/lib/rpm"])
            .args(files),
    )
}
