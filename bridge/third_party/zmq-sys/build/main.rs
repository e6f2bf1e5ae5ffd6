//! Builds ZeroMQ from source against the libsodium that `libsodium-sys-stable` has just built from source.

use std::env;

fn main() {
    println!("cargo:rerun-if-changed=build/main.rs");
    println!("cargo:rerun-if-env-changed=PROFILE");
    // In this workspace: the patched source.
    println!("cargo:rerun-if-changed=../zeromq-src/vendor");
    // What the build script of `libsodium-sys-stable` tells those that depend on it.
    let told = |name: &str| {
        env::var(name).unwrap_or_else(|_| {
            panic!(
                "{name} is not set: libsodium was not built from its bundled source; unset SODIUM_LIB_DIR and \
                 SODIUM_USE_PKG_CONFIG"
            )
        })
    };
    // Somebody else's warnings, which nobody here can do anything about, would come up in every build of ours.
    let flags = env::var("CXXFLAGS").unwrap_or_default();
    env::set_var("CXXFLAGS", format!("{flags} -w"));
    let sodium = zeromq_src::LibLocation::new(told("DEP_SODIUM_LIB"), told("DEP_SODIUM_INCLUDE"));
    zeromq_src::Build::new().with_libsodium(Some(sodium)).build();
}
