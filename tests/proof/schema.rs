//! The reader of the schema refuses what is no event: otherwise it would prove nothing of those it takes.

use crate::support::schema::read;

#[test]
fn what_is_no_event_is_refused() {
    let good = r#"{"v":1,"id":"00000000000000ab:0","line_size":1,"is_page_view":true,"host":"h","log":"l","x_a":"1"}"#;
    assert_eq!(read(good.as_bytes()).map(|_| ()), Ok(()));
    for (part, wrong) in [
        (r#""v":1"#, r#""v":2"#),
        (r#""v":1,"#, r#""v":1,"v":1,"#),
        (r#""log":"l""#, r#""log":null"#),
        (r#""host":"h","log":"l""#, r#""log":"l","host":"h""#),
        (r#""x_a":"1""#, r#""x_a":1"#),
        (r#""x_a":"1""#, r#""a":"1""#),
        (r#""is_page_view":true"#, r#""is_page_view":false"#),
        (r#""is_page_view":true"#, r#""is_page_view":true,"exclude_reason":"bot""#),
        (r#""is_page_view":true"#, r#""is_page_view":false,"exclude_reason":"else""#),
        (r#"ab:0"#, r#"ab:00"#),
    ] {
        assert!(good.contains(part));
        assert!(read(good.replace(part, wrong).as_bytes()).is_err(), "{wrong}");
    }
}
