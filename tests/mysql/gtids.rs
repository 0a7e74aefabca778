//! Sets of transactions of both dialects: the algebra against plain sets of numbers, the text, and what is said.

use proptest::prelude::*;
use std::collections::BTreeSet;
use vakt::model::mysql::gtid::{
    GtidError, Gtids, MariadbGtids, MysqlGtids, Relation, SeriesId, SourceId, relation_mariadb, relation_mysql,
};

const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B: &str = "4350f323-7565-4e59-8763-4b1b83a0ce0e";

fn mysql(text: &str) -> MysqlGtids {
    text.parse().unwrap()
}

fn mariadb(text: &str) -> MariadbGtids {
    text.parse().unwrap()
}

#[test]
fn mysql_text_is_read_and_written_as_the_server_does() {
    let cases = [
        (String::new(), String::new()),
        (format!("{A}:1-5"), format!("{A}:1-5")),
        (format!("{A}:1-3:4:11-12:9"), format!("{A}:1-4:9:11-12")),
        (format!("{B}:7,\n{A}:1"), format!("{A}:1,{B}:7")),
        (format!("{}:1", A.to_uppercase()), format!("{A}:1")),
        (format!("{}:1", A.replace('-', "")), format!("{A}:1")),
        (format!("{A}:1-3:Blue:1:5-6:_a:2"), format!("{A}:1-3:_a:2:blue:1:5-6")),
        (format!("{A}:blue:1,{A}:2,{A}:blue:2"), format!("{A}:2:blue:1-2")),
        (format!(" {A} : 1 - 2 , "), format!("{A}:1-2")),
    ];
    for (text, written) in cases {
        assert_eq!(mysql(&text).to_string(), written, "{text}");
        assert_eq!(mysql(&written), mysql(&text), "{written} is read back");
    }
}

#[test]
fn mysql_text_that_is_no_set_is_refused() {
    let long = format!("{A}:{}", "x".repeat(40));
    let cases = [
        ("nonsense:1".to_owned(), GtidError::NoUuid),
        (format!("+{}:1", &A.replace('-', "")[1..]), GtidError::NoUuid),
        (A.to_owned(), GtidError::NoInterval),
        (format!("{A}:blue"), GtidError::NoInterval),
        (format!("{A}:1:blue"), GtidError::NoInterval),
        (format!("{A}:0"), GtidError::BadInterval),
        (format!("{A}:5-3"), GtidError::BadInterval),
        (format!("{A}:+1"), GtidError::BadInterval),
        (format!("{A}:9223372036854775807"), GtidError::BadInterval),
        (format!("{A}:18446744073709551616"), GtidError::BadInterval),
        (long, GtidError::BadTag),
        (format!("{A}:bl\u{fc}e:1"), GtidError::BadTag),
        ("x".repeat(2 << 20), GtidError::TooLong),
        (format!("{A}{}", ":1".repeat(60_000)), GtidError::TooManyParts),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<MysqlGtids>(), Err(error), "{}", &text[..text.len().min(80)]);
    }
}

#[test]
fn mariadb_text() {
    assert_eq!(mariadb("1-32-9,0-31-207").to_string(), "0-31-207,1-32-9");
    assert_eq!(mariadb("0-31-7,0-32-9").position().to_string(), "0-32-9");
    assert_eq!(mariadb("0-31-7").last(SeriesId { domain: 0, server: 31 }), Some(7));
    for odd in ["0-31", "0-31-7-8", "-1-2-3", "a-b-c", "0-31-18446744073709551616", "4294967296-1-1", "0-+1-2"] {
        assert_eq!(odd.parse::<MariadbGtids>(), Err(GtidError::BadEntry), "{odd}");
    }
    assert!("x".repeat(2 << 20).parse::<MariadbGtids>() == Err(GtidError::TooLong));
    assert!("0-1-1,".repeat(60_000).parse::<MariadbGtids>() == Err(GtidError::TooManyParts));
}

#[test]
fn the_difference_in_words() {
    let words = |a: &str, b: &str| Gtids::Mysql(mysql(a)).beyond(&Gtids::Mysql(mysql(b))).unwrap();
    assert_eq!(words(&format!("{A}:1-5"), &format!("{A}:1-5")), None);
    assert_eq!(words(&format!("{A}:1-7"), &format!("{A}:1-4")), Some(format!("3 transactions of {A}: 5-7")));
    assert_eq!(words(&format!("{A}:1-2:t:9"), &format!("{A}:1-2")), Some(format!("1 transaction of {A}:t: 9")));
    let many: Vec<String> = (0..5).map(|n| format!("{n}{}:1:3:5:7:9", &A[1..])).collect();
    let text = words(&many.join(","), "").unwrap();
    assert!(text.contains("5 transactions of") && text.ends_with("1 3 5 7 … and 2 more sources"), "{text}");

    let words = |a: &str, b: &str| Gtids::Mariadb(mariadb(a)).beyond(&Gtids::Mariadb(mariadb(b))).unwrap();
    assert_eq!(words("0-31-207", "0-31-207"), None);
    assert_eq!(words("0-31-207", "0-31-204").unwrap(), "3 transactions of domain 0: 0-31-205 to 0-31-207");
    assert_eq!(words("0-31-207", "0-31-206").unwrap(), "1 transaction of domain 0: 0-31-207");
    assert_eq!(words("0-31-207", "").unwrap(), "everything of domain 0 up to 0-31-207");
    let mixed = Gtids::Mariadb(mariadb("0-1-1")).beyond(&Gtids::Mysql(mysql("")));
    assert_eq!(mixed, Err(GtidError::DialectsDiffer));
}

#[test]
fn mysql_relations() {
    let of = |replica: &str, primary: &str, purged: &str, upstream: &[u128]| {
        relation_mysql(&mysql(replica), &mysql(primary), &mysql(purged), upstream)
    };
    let ten = format!("{A}:1-10");
    assert_eq!(of(&ten, &ten, "", &[]), Relation::Identical);
    assert_eq!(of("", &ten, "", &[]), Relation::Empty);
    assert_eq!(of(&format!("{A}:1-7"), &ten, "", &[]), Relation::Behind { missing: 3 });
    assert_eq!(of(&format!("{A}:1-7"), &ten, &format!("{A}:1-7"), &[]), Relation::Behind { missing: 3 });
    let purged = of(&format!("{A}:1-7"), &ten, &format!("{A}:1-8"), &[]);
    assert_eq!(purged, Relation::BehindPurged { missing: 3, purged: 1 });
    assert_eq!(
        purged.to_string(),
        "it lacks 3 transactions, 1 of which are in no binary log of the primary; make it anew from a copy"
    );
    let errant = format!("{ten},{B}:1");
    let words = format!("1 transaction of {B}: 1");
    let diverged = of(&errant, &ten, "", &[]);
    assert_eq!(diverged.to_string(), format!("it has what the primary lacks: {words}"));
    assert_eq!(diverged, Relation::Diverged { errant: 1, words });
    let upstream = SourceId::parse(B).unwrap().uuid;
    assert_eq!(of(&errant, &ten, "", &[upstream]), Relation::Identical);
}

#[test]
fn mariadb_relations() {
    let copied = |position: &str, state: &str, server: u32, primary: &str, received: &str| {
        relation_mariadb(&mariadb(position), &mariadb(state), server, &mariadb(primary), &mariadb(received))
    };
    let of = |position: &str, state: &str, server: u32, primary: &str| copied(position, state, server, primary, "");
    assert_eq!(of("0-31-207", "0-31-207", 33, "0-31-207"), Relation::Identical);
    assert_eq!(of("", "", 33, "0-31-207"), Relation::Empty);
    assert_eq!(of("0-31-200", "0-31-200", 33, "0-31-207"), Relation::Behind { missing: 7 });
    // The returning old primary with one transaction that nobody acknowledged.
    let diverged = of("0-31-8695", "0-31-8695", 31, "0-31-8694,0-32-9000");
    assert_eq!(diverged, Relation::Diverged { errant: 1, words: "1 transaction of domain 0: 0-31-8695".to_owned() });
    // What the replica wrote itself while it was primary, and the primary has of it, is not errant.
    assert_eq!(of("0-32-900", "0-31-800,0-32-900", 32, "0-31-1000,0-32-900"), Relation::Behind { missing: 100 });
    // A primary made from a copy knows nothing of a third server's past.
    assert_eq!(of("0-32-900", "0-31-800,0-32-900", 33, "0-32-900"), Relation::Identical);
    // What it wrote itself as a primary once, before that copy was made, is none either; what is newer is.
    let of_copy = |received: &str| copied("0-31-950", "0-33-800,0-31-950", 33, "0-31-950", received);
    assert_eq!(of_copy("0-32-900"), Relation::Identical);
    assert!(matches!(of_copy("0-32-700"), Relation::Diverged { .. }));
    // Where the primary names that server, its word counts.
    let named = copied("0-31-950", "0-33-800,0-31-950", 33, "0-33-700,0-31-950", "0-32-900");
    assert!(matches!(named, Relation::Diverged { errant: 100, .. }), "{named:?}");
    // A third server's transactions beyond the primary's end are errant all the same.
    assert!(matches!(of("0-34-910", "0-34-910", 33, "0-32-900"), Relation::Diverged { errant: 10, .. }));
    // Another domain that only the replica has.
    assert!(matches!(of("0-31-5,7-33-2", "0-31-5,7-33-2", 33, "0-31-5"), Relation::Diverged { .. }));
    assert!(mariadb("0-31-5").reaches(&mariadb("0-32-5")) && !mariadb("0-31-5").reaches(&mariadb("1-32-1")));
}

/// Two sources and a tag, numbers below 40: small enough to hit every overlap.
fn numbers() -> impl Strategy<Value = BTreeSet<(usize, u64)>> {
    proptest::collection::btree_set((0_usize..3, 1_u64..40), 0..60)
}

fn of_numbers(numbers: &BTreeSet<(usize, u64)>) -> MysqlGtids {
    let sources = [A.to_owned(), B.to_owned(), format!("{A}:tag")];
    let parts: Vec<String> = numbers.iter().map(|(source, n)| format!("{}:{n}", sources[*source])).collect();
    mysql(&parts.join(","))
}

fn series() -> impl Strategy<Value = MariadbGtids> {
    proptest::collection::btree_map((0_u32..3, 1_u32..4), 1_u64..30, 0..8).prop_map(|entries| {
        let parts: Vec<String> = entries.iter().map(|((d, s), n)| format!("{d}-{s}-{n}")).collect();
        mariadb(&parts.join(","))
    })
}

proptest! {
    #[test]
    fn mysql_sets_behave_as_sets_of_numbers(a in numbers(), b in numbers()) {
        let (x, y) = (of_numbers(&a), of_numbers(&b));
        prop_assert_eq!(x.union(&y), of_numbers(&(&a | &b)));
        prop_assert_eq!(x.subtract(&y), of_numbers(&(&a - &b)));
        prop_assert_eq!(x.intersection(&y), of_numbers(&(&a & &b)));
        prop_assert_eq!(x.contains(&y), a.is_superset(&b));
        prop_assert_eq!(x.count(), a.len() as u64);
        prop_assert_eq!(x.words().is_none(), a.is_empty());
        prop_assert_eq!(&mysql(&x.to_string()), &x);
        let written = serde_json::to_string(&x).unwrap();
        prop_assert_eq!(serde_json::from_str::<MysqlGtids>(&written).unwrap(), x);
    }

    #[test]
    fn mariadb_states_keep_their_laws(a in series(), b in series()) {
        let both = a.union(&b);
        prop_assert!(both.contains(&a) && both.contains(&b));
        prop_assert_eq!(&both, &b.union(&a));
        prop_assert_eq!(a.contains(&b), b.subtract(&a).is_empty());
        prop_assert_eq!(both.subtract(&a).is_empty(), a.contains(&b));
        for range in a.subtract(&b) {
            prop_assert_eq!(a.last(range.series), Some(range.last));
            prop_assert!(range.first <= range.last);
            prop_assert_eq!(b.last(range.series).map_or(0, |last| last + 1), range.first);
        }
        prop_assert_eq!(a.reaches(&b), b.ahead_of(&a).is_empty());
        prop_assert_eq!(&a.position().position(), &a.position());
        prop_assert!(a.contains(&a.position()) && a.position().reaches(&a));
        prop_assert_eq!(&mariadb(&a.to_string()), &a);
    }

    #[test]
    fn no_text_panics(text in "[0-9a-f:,\\- \n_]{0,200}") {
        let _ = text.parse::<MysqlGtids>();
        let _ = text.parse::<MariadbGtids>();
    }
}
