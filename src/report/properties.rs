//! The tally against the simplest count there is, and the orders and pieces in which events may come.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{DaySelection, Report, Seen, Tally};

/// An event in small numbers, so that everything repeats.
type Event = (u8, u8, u8, u8, u8, u8);

fn events() -> impl Strategy<Value = Vec<Event>> {
    proptest::collection::vec((0..5_u8, 0..2_u8, 0..6_u8, 0..9_u8, 0..4_u8, 0..6_u8), 0..200)
}

fn count<'a>(events: impl Iterator<Item = &'a Event>) -> Tally {
    let mut tally = Tally::default();
    for (day, site, page, visitor, client, kind) in events {
        let day = if *day == 0 { String::new() } else { format!("2026-11-0{day}") };
        let (site, page) = (format!("s{site}"), format!("/p/{page}\"<\\"));
        let (visitor, client) = (format!("visitor-------{visitor:02}"), format!("c{client}"));
        tally.add(&Seen {
            day: day.as_bytes(),
            site: site.as_bytes(),
            page: page.as_bytes(),
            is_view: *kind < 4,
            reason: if *kind == 4 { b"malformed" } else { b"bot" },
            visitor_id: visitor.as_bytes(),
            client_key: client.as_bytes(),
            referrer_host: if *kind == 1 { b"s1" } else { b"" },
            bot: if *kind == 5 { b"robot" } else { b"" },
            client_address: b"10.0.0.1",
        });
    }
    tally
}

fn json(tally: &Tally, selection: &DaySelection) -> String {
    let mut out = Vec::new();
    super::write_json(&Report::new(tally, selection), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

proptest! {
    #[test]
    fn order_does_not_matter(events in events()) {
        let (forward, backward) = (count(events.iter()), count(events.iter().rev()));
        let (one, other) =
            (Report::new(&forward, &DaySelection::All), Report::new(&backward, &DaySelection::All));
        prop_assert_eq!(json(&forward, &DaySelection::All), json(&backward, &DaySelection::All));
        prop_assert_eq!(one.top_pages(3), other.top_pages(3));
        prop_assert_eq!(one.referrers(), other.referrers());
        prop_assert_eq!((one.bots(), one.sites()), (other.bots(), other.sites()));
        prop_assert_eq!(one.warnings(), other.warnings());
    }

    #[test]
    fn the_numbers_are_those_of_a_simple_count(events in events(), chosen in 1..5_u8) {
        type Cell = (u64, BTreeSet<u8>, BTreeSet<u8>);
        let mut days: BTreeMap<(u8, u8), (u64, Cell)> = BTreeMap::new();
        let mut pages: BTreeMap<(u8, u8, u8), Cell> = BTreeMap::new();
        for (day, site, page, visitor, client, kind) in events.iter().filter(|event| event.0 == chosen) {
            let (all, views) = days.entry((*day, *site)).or_default();
            *all += 1;
            if *kind < 4 {
                for cell in [views, pages.entry((*day, *site, *page)).or_default()] {
                    cell.0 += 1;
                    cell.1.insert(*visitor);
                    cell.2.insert(*client);
                }
            }
        }
        let tally = count(events.iter());
        let report = Report::new(&tally, &DaySelection::day(&format!("2026-11-0{chosen}")).unwrap());
        let counted: Vec<_> = report.days().iter()
            .map(|row| (row.site.to_owned(), row.events, row.page_views, row.visitors, row.addresses)).collect();
        let expect: Vec<_> = days.iter().map(|((_, site), (all, (views, visitors, clients)))| {
            (format!("s{site}"), *all, *views, visitors.len() as u64, clients.len() as u64)
        }).collect();
        prop_assert_eq!(counted, expect);
        let counted: Vec<_> = report.pages()
            .map(|row| (row.page.to_owned(), row.page_views, row.visitors, row.addresses)).collect();
        let expect: Vec<_> = pages.iter().map(|((_, _, page), (views, visitors, clients))| {
            (format!("/p/{page}\"<\\"), *views, visitors.len() as u64, clients.len() as u64)
        }).collect();
        prop_assert_eq!(counted, expect);
        let totals = report.totals();
        let undated = events.iter().filter(|event| event.0 == 0).count() as u64;
        prop_assert_eq!(totals.undated, undated);
        prop_assert_eq!(totals.events, undated + report.days().iter().map(|row| row.events).sum::<u64>());
    }
}

#[test]
fn the_json_is_the_contract() {
    let tally = count(
        [(1, 0, 1, 1, 1, 0), (1, 0, 1, 2, 1, 0), (1, 0, 1, 2, 1, 5), (1, 0, 1, 2, 1, 4), (0, 0, 0, 0, 0, 4)]
            .iter(),
    );
    let expect = concat!(
        r#"{"days":[{"day":"2026-11-01","site":"s0","page_views":2,"visitors":2,"addresses":1,"events":4,"#,
        r#""excluded":{"malformed":1,"bot":1}}],"pages":[{"day":"2026-11-01","site":"s0","page":"/p/1\"<\\","#,
        r#""page_views":2,"visitors":2,"addresses":1}],"totals":{"events":5,"page_views":2,"malformed":2,"undated":1}}"#,
        "\n"
    );
    assert_eq!(json(&tally, &DaySelection::All), expect);
    let nothing = r#"{"days":[],"pages":[],"totals":{"events":0,"page_views":0,"malformed":0,"undated":0}}"#;
    assert_eq!(json(&Tally::default(), &DaySelection::All).trim_end(), nothing);
}

#[test]
fn somebody_with_most_of_the_views_is_told() {
    let mut events = vec![(1, 0, 1, 1, 1, 0); 11];
    events.extend([(1, 0, 1, 1, 2, 0); 9]);
    let tally = count(events.iter());
    let report = Report::new(&tally, &DaySelection::All);
    let [private, client] = report.warnings() else { panic!("{:?}", report.warnings()) };
    assert!(private.to_string().contains("client_address.trusted"), "{private}");
    assert!(
        client.to_string().starts_with("one address has 11 of the 20 page views of s0 on 2026-11-01"),
        "{client}"
    );
    events.push((1, 0, 1, 1, 3, 0));
    events.push((1, 0, 1, 1, 3, 0));
    let tally = count(events.iter());
    assert_eq!(Report::new(&tally, &DaySelection::All).warnings().len(), 1, "half is not more than half");
}
