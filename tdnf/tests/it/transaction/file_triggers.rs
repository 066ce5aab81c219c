//! File triggers and transaction file triggers: the same scripts with the same input as rpm 4.18.

use super::*;

/// Prints what ran, with its arguments and its input.
fn tells(text: &str) -> String {
    format!("echo \"{text} [$#: $*]\"\nwhile read -r line; do echo \"    $line\"; done\n")
}

/// Every kind of file trigger at three priorities on these prefixes.
fn every_kind(name: &str, on: &str) -> String {
    let mut text = String::new();
    for kind in ["in", "un", "postun"] {
        for (option, label) in [
            ("", "default"),
            ("-P 100 ", "low"),
            ("-P 2000000 ", "first"),
        ] {
            let said = tells(&format!("{name} filetrigger{kind} {label}"));
            text.push_str(&format!("%filetrigger{kind} {option}-- {on}\n{said}"));
            let said = tells(&format!("{name} transfiletrigger{kind} {label}"));
            text.push_str(&format!("%transfiletrigger{kind} {option}-- {on}\n{said}"));
        }
    }
    text
}

/// A package with files below `/opt/NAME`, some of them only in this version, that triggers on
/// paths of both.
fn package(name: &str, version: &str, on: &str) -> PathBuf {
    let install = format!(
        "cd %{{buildroot}}\nmkdir -p opt/{name}/sub opt/{name}/empty opt/shared\n\
         echo {version} > opt/{name}/conf\necho x > opt/{name}/sub/file\necho x > opt/{name}/same\n\
         echo x > opt/{name}/only-{version}\necho x > opt/{name}/sub/only-{version}\n\
         echo x > opt/shared/s"
    );
    let mut rest = every_kind(&format!("{name}-{version}"), on);
    rest.push_str(&format!(
        "%post\necho post {name}-{version} $1\n%preun\necho preun {name}-{version} $1\n\
         %postun\necho postun {name}-{version} $1\n%posttrans\necho posttrans {name}-{version} $1\n\
         %files\n/opt/{name}\n%config(noreplace) /opt/{name}/conf\n%ghost /opt/{name}/ghost\n\
         /opt/shared/s\n"
    ));
    build(name, version, "", &install, &rest)
}

/// All the steps in a life of two packages that trigger on each other.
fn life(on: [&str; 2]) {
    if unprivileged() {
        return;
    }
    let [a1, a2] = ["1", "2"].map(|version| package("fa", version, on[0]));
    let [b1, b2] = ["1", "2"].map(|version| package("fb", version, on[1]));
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&a1)]);
    pair.same(&[Ask::Upgrade(&b1)]);
    pair.each(|root| root.write("opt/fb/conf", "edited"));
    pair.same(&[Ask::Upgrade(&b2)]);
    pair.same(&[Ask::Upgrade(&b2)]);
    pair.same(&[Ask::Upgrade(&a2)]);
    pair.same(&[Ask::Upgrade(&b1)]);
    pair.same(&[Ask::Erase("fb")]);
    pair.same(&[Ask::Erase("fa")]);
    pair.same(&[Ask::Install(&b2)]);
    pair.same(&[Ask::Install(&a1)]);
    pair.same(&[Ask::Erase("fa")]);
    pair.same(&[Ask::Erase("fb")]);
}

#[test]
fn triggers_on_a_directory_of_another_package() {
    life(["/opt/fb", "/opt/fa"]);
}

#[test]
fn triggers_on_own_and_shared_directories() {
    life(["/opt/fa /opt/shared", "/opt/f"]);
}

#[test]
fn triggers_on_parts_of_names_and_overlapping_prefixes() {
    life(["/opt/fb/sub /opt/fb /opt/fb/o", "/opt/fa/only /opt/fa/sub/"]);
}

#[test]
fn lua_reads_the_paths_one_by_one() {
    if unprivileged() {
        return;
    }
    let lua = "%filetriggerin -p <lua> -- /opt/lua\nlocal f = rpm.next_file()\n\
               while f do print('<' .. f .. '>') f = rpm.next_file() end\n%files\n";
    let trigger = build("luatrigger", "1", "", "", lua);
    let install = "mkdir -p %{buildroot}/opt/lua\necho x > %{buildroot}/opt/lua/x";
    let files = build("luafiles", "1", "", install, "%files\n/opt/lua\n");
    let pair = Pair::new();
    pair.same(&[Ask::Upgrade(&trigger)]);
    pair.same(&[Ask::Upgrade(&files)]);
}
