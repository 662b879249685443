//! Rights: a broker with an authorizer, and users who lack one each. The command that `check` prints gives it.

use super::door::{Door, Doors, USERS};
use super::{CANARY, EXIT_PERMISSION, Visitor};
use crate::support::kafka::Kafka;

/// The topic, the agent's id, and what its groups and transactional id begin with.
const TOPIC: &str = "rights";
const PREFIX: &str = "viewtail-rights";

/// What an agent needs: the option of Kafka's tool that names the resource, the operation, and who does not have it.
const NEEDED: [(&[&str], &str, &[&str]); 4] = [
    (&["--topic", TOPIC], "Write", &["no-write", "no-describe"]),
    (&["--topic", TOPIC], "Read", &["no-read", "no-describe"]),
    (&["--transactional-id", PREFIX, "--resource-pattern-type", "prefixed"], "Write", &["no-transaction"]),
    (&["--group", PREFIX, "--resource-pattern-type", "prefixed"], "Read", &["no-group"]),
];

fn acl(doors: &Doors, users: &[&str], operation: &str, resource: &[&str]) {
    let brokers = doors.address(Door::Plain);
    let principals: Vec<String> = users.iter().map(|user| format!("User:{user}")).collect();
    let mut arguments = vec!["--bootstrap-server", &brokers, "--add", "--operation", operation];
    arguments.extend(principals.iter().flat_map(|principal| ["--allow-principal", principal]));
    arguments.extend(resource);
    Kafka::tool("org.apache.kafka.tools.AclCommand", &arguments);
}

#[test]
fn each_missing_right_is_named_with_the_command_that_gives_it() {
    // Rules on a prefix concern the agents of all tests.
    let doors = Doors::start();
    doors.create_topic(TOPIC);
    for (resource, operation, without) in NEEDED {
        let users: Vec<&str> = USERS.into_iter().filter(|user| !without.contains(user)).collect();
        acl(&doors, &users, operation, resource);
    }
    let file = doors.file("password-of-all");
    std::fs::write(&file, format!("{CANARY}\n")).expect("the password can be written");
    let visitor = |user: &str| {
        let sasl = format!("sasl: {{mechanism: PLAIN, username: {user}, password_file: {file}}}");
        Visitor::new(TOPIC, &doors.address(Door::Sasl), &[doors.trusted(), sasl])
    };

    for (user, fact, command) in [
        ("no-write", "the right Write on topic rights is missing", "--operation Write --topic rights"),
        ("no-read", "the right Read on topic rights is missing", "--operation Read --topic rights"),
        (
            "no-describe",
            "the right Describe on topic rights is missing",
            "--operation Write --operation Read --topic rights",
        ),
        (
            "no-transaction",
            "grant Write on transactional ids prefixed viewtail-",
            "--operation Write --transactional-id viewtail- --resource-pattern-type prefixed",
        ),
        (
            "no-group",
            "grant Read on groups prefixed viewtail-",
            "--operation Read --group viewtail- --resource-pattern-type prefixed",
        ),
    ] {
        visitor(user)
            .is_refused(EXIT_PERMISSION, &[fact, &format!("--allow-principal User:{user} {command}")]);
    }
    let (code, said) = visitor("all").check();
    assert_eq!(code, Some(0), "the documented rights are enough, IdempotentWrite is none of them:\n{said}");

    // Of several topics the one without a right is named.
    let mut of_two = visitor("all");
    doors.create_topic("rights-2");
    // This broker lets everybody do everything with what has no rule.
    acl(&doors, &["no-write"], "Write", &["--topic", "rights-2"]);
    of_two.config.topic = "right{site}".to_owned();
    of_two.config.sites = ["s", "s-2"].map(str::to_owned).to_vec();
    of_two.config = of_two.config.log(&of_two.scratch.join("other.log"), "combined");
    of_two.is_refused(
        EXIT_PERMISSION,
        &["the right Describe on topic rights-2 is missing", "--operation Write --topic rights-2"],
    );
    // Positions are kept on the first topic alone, so the others take no right to read.
    acl(&doors, &["all"], "Write", &["--topic", "rights-2"]);
    let (code, said) = of_two.check();
    assert_eq!(code, Some(0), "{said}");

    acl(&doors, &["no-group"], "Read", &["--group", "viewtail-", "--resource-pattern-type", "prefixed"]);
    let (code, said) = visitor("no-group").check();
    assert_eq!(code, Some(0), "what was printed is what was missing:\n{said}");
}
