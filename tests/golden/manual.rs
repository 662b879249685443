//! The manual as it is packed: viewtail.yaml(5). viewtail(1) changes with every word of help and is read in the tests of the
//! packages instead.

use std::process::Command;

#[test]
fn the_manual_of_the_configuration() {
    let printed = Command::new(env!("CARGO_BIN_EXE_viewtail")).args(["man", "viewtail.yaml"]).output();
    let printed = printed.expect("the binary of the build can be run");
    assert!(printed.status.success(), "{printed:?}");
    let page = String::from_utf8(printed.stdout).expect("the page is UTF-8");
    super::check(&super::cases("manual").join("viewtail.yaml.5"), &page).unwrap();
}
