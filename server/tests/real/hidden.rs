//! `pillarbox account capability`: what an account's programs are not told of.

use crate::commands::{done, refused};
use crate::on_each_runtime;
use crate::server::Place;
use crate::talk::Imap;

on_each_runtime!(a_capability_is_hidden_from_one_account_until_it_is_shown);

fn announced(place: &Place, user: &str) -> String {
    let said = Imap::login(place.imap(), user).command("CAPABILITY");
    String::from_utf8(said[0].clone()).unwrap() + " "
}

fn a_capability_is_hidden_from_one_account_until_it_is_shown(runtime: &'static str) {
    let place = Place::new(runtime);
    let server = place.localserve();
    let dir = place.dir();
    assert!(announced(&place, "user").contains(" MOVE "));
    let said = done(&dir, &["account", "capability", "hide", "user@localhost", "move"]);
    assert_eq!(said, "programs of account `user` are not told of move\n");
    done(&dir, &["account", "capability", "hide", "user", "COMPRESS=DEFLATE"]);
    done(&dir, &["account", "capability", "hide", "user", "move"]);
    let said = announced(&place, "user");
    assert!(!said.contains(" MOVE ") && !said.contains("COMPRESS") && said.contains(" IDLE "));
    assert!(announced(&place, "friend").contains(" MOVE "));
    refused(
        &dir,
        &["account", "capability", "hide", "user", "IMAP4rev1"],
        "no capability of IMAP that can be hidden",
    );
    refused(&dir, &["account", "capability", "hide", "user", "MVOE"], "no capability");
    server.stop();
    // On a stopped server.
    let list = ["account", "capability", "list", "user"];
    assert_eq!(done(&dir, &list), "COMPRESS=DEFLATE\nMOVE\n");
    assert_eq!(done(&dir, &[&list[..], &["--json"]].concat()), "[\"COMPRESS=DEFLATE\",\"MOVE\"]\n");
    let file = place.beside("export.toml");
    let exported = done(&dir, &["export"]);
    assert!(
        exported.contains("hidden_capabilities = [\n    \"COMPRESS=DEFLATE\",\n    \"MOVE\",\n]")
    );
    std::fs::write(&file, exported).unwrap();
    done(&dir, &["account", "capability", "show", "user", "MOVE"]);
    assert_eq!(done(&dir, &list), "COMPRESS=DEFLATE\n");
    done(&dir, &["import", file.to_str().unwrap()]);
    assert_eq!(done(&dir, &list), "COMPRESS=DEFLATE\nMOVE\n");
    place.verify();
}
