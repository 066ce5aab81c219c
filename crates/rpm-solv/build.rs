//! Compiles `src/leave.c`.

fn main() {
    println!("cargo:rerun-if-changed=src/leave.c");
    cc::Build::new()
        .file("src/leave.c")
        .warnings(true)
        .compile("rpm_solv_leave");
}
