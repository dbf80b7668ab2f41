//! What happens is told: into a file, to Kafka, to `RabbitMQ`, whatever becomes of anybody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::Value;

use crate::broker::Kafka;
use crate::client::{Request, log_in};
use crate::database::{Database, setting};
use crate::foreign::python;
use crate::service::{ADMIN, Installation, Service, until, until_within};
use crate::tally::Tally;

#[test]
fn with_nothing_configured_what_happens_is_a_line_of_a_file() {
    let installation = Installation::embedded();
    let mut service = installation.start();
    let create = ["user", "create", "ada@example.org", "--password-stdin"];
    installation.done_with(&create, "correct horse battery");
    let answer = service.ask(&log_in("ada@example.org", "correct horse battery"));
    assert_eq!(answer.status, 200);
    // What was answered before the end is told before the end.
    service.terminate();
    assert_eq!(service.wait().code(), Some(0));

    let text = fs::read_to_string(installation.path("data/events.ndjson")).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let types: Vec<&str> = lines
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(types[0], "TenantCreated");
    assert_eq!(types[types.len() - 2..], ["UserCreated", "UserLoggedIn"]);
    let places: Vec<u64> = lines
        .iter()
        .map(|event| event["position"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert_eq!(lines[types.len() - 2]["data"]["email"], "ada@example.org");
    assert_eq!(status(&installation)["sent"], lines.len());
}

#[test]
fn operators_see_how_far_events_are_and_have_them_sent_again() {
    let installation = Installation::embedded();
    let service = installation.start();
    service.session(&installation);
    until("all is sent", || status(&installation)["pending"] == 0);
    let sent = status(&installation)["sent"].as_u64().unwrap();
    assert_eq!(status(&installation)["oldest_seconds"], Value::Null);
    assert_eq!(status(&installation)["parked"], 0);

    let tail = installation.json(&["events", "tail", "-n", "2"], "");
    assert_eq!(tail.as_array().unwrap().len(), 2);
    assert_eq!(tail[1]["type"], "UserLoggedIn");
    let table = installation.done(&["events", "tail", "--tenant", "public"]);
    assert_eq!(table.lines().count(), 1 + usize::try_from(sent).unwrap());
    assert!(!table.contains('@'), "{table}");

    let replayed = installation.json(&["events", "replay", "--from", "3"], "");
    assert_eq!(replayed[0]["publisher"], "ndjson");
    assert_eq!(replayed[0]["sent"], sent - 2);
    let text = fs::read_to_string(installation.path("data/events.ndjson")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let (first, again) = lines.split_at(usize::try_from(sent).unwrap());
    assert_eq!(again, &first[2..]);

    let waiting = installation.json(&["events", "waiting"], "");
    assert_eq!(waiting, Value::Array(Vec::new()));
    let (code, said) = installation.refusal(&["events", "forget", "ndjson"], "");
    assert_eq!(code, Some(2));
    assert!(said.contains("TESSERA_EVENTS"), "{said}");
    let (code, said) = installation.refusal(&["events", "retry", &id_of(&tail[1])], "");
    assert_eq!(code, Some(1));
    assert!(
        said.contains("no event") && said.contains("parked"),
        "{said}"
    );
    let metrics = service.ask(&Request::get("/metrics/")).body;
    assert!(
        metrics.contains("tessera_events_pending{publisher=\"ndjson\"} "),
        "{metrics}"
    );
}

#[test]
fn with_none_nothing_is_pending_and_who_is_added_later_starts_there() {
    let installation = Installation::embedded().with("TESSERA_EVENTS", "none");
    installation.start().session(&installation);
    let all = installation.json(&["events", "status"], "");
    assert_eq!(all, Value::Array(Vec::new()));
    let installation = installation.with("TESSERA_EVENTS", "ndjson");
    let service = installation.start();
    service.session(&installation);
    until("it is sent", || status(&installation)["sent"] == 1);
    let text = fs::read_to_string(installation.path("data/events.ndjson")).unwrap();
    assert!(
        text.contains("UserLoggedIn") && text.lines().count() == 1,
        "{text}"
    );
}

#[test]
fn a_publisher_that_is_no_longer_configured_is_told_of_and_can_be_forgotten() {
    let installation = Installation::embedded();
    drop(installation.start());
    let installation = installation.with("TESSERA_EVENTS", "none");
    let service = installation.start();
    service.session(&installation);
    until("it is told", || service.log().contains("not configured"));
    let forgotten = installation.json(&["events", "forget", "ndjson"], "");
    assert_eq!(forgotten["forgotten"], "ndjson");
    let (code, _) = installation.refusal(&["events", "forget", "ndjson"], "");
    assert_eq!(code, Some(1));
    let all = installation.json(&["events", "status"], "");
    assert_eq!(all, Value::Array(Vec::new()));
}

#[test]
fn a_consumer_of_kafka_reads_what_happened() {
    let (brokers, topic) = (setting("TESSERA_TEST_KAFKA"), unique("kafka"));
    python("read_kafka.py", &[&brokers, &topic, "make"]);
    let installation = Installation::embedded()
        .with("KAFKA_BOOTSTRAP_SERVERS", &brokers)
        .with("TESSERA_EVENTS_TOPIC", &topic);
    let service = installation.start();
    service.session(&installation);
    until("all is sent", || status(&installation)["pending"] == 0);
    installation.done(&["events", "replay", "--from", "1"]);

    let records = objects(&python("read_kafka.py", &[&brokers, &topic]));
    let logged_in: Vec<&Value> = records
        .iter()
        .filter(|record| record["headers"]["ce_type"] == "UserLoggedIn")
        .collect();
    let [first, replay] = logged_in.as_slice() else {
        panic!("{records:?}");
    };
    let event: Value = serde_json::from_str(first["body"].as_str().unwrap()).unwrap();
    let key = format!("{}:{}", text(&event, "tenantid"), text(&event, "subject"));
    assert_eq!(first["key"], key);
    for name in [
        "id",
        "source",
        "specversion",
        "subject",
        "tenantid",
        "sequence",
        "position",
        "time",
    ] {
        assert_eq!(
            first["headers"][&format!("ce_{name}")],
            event[name],
            "{name}"
        );
    }
    assert_eq!(event["data"]["ip"], "127.0.0.1");
    assert_eq!(first["headers"]["tessera-replay"], Value::Null);
    assert_eq!(replay["headers"]["tessera-replay"], "true");
    assert_eq!(first["body"], replay["body"]);
    assert!(!installation.path("data/events.ndjson").exists());
}

#[test]
fn a_consumer_of_rabbitmq_reads_what_happened_before_it_first_came() {
    let (url, name) = (setting("TESSERA_TEST_RABBITMQ"), unique("rabbitmq"));
    let installation = Installation::embedded()
        .with("RABBITMQ_URL", &url)
        .with("TESSERA_EVENTS_EXCHANGE", &name)
        .with("TESSERA_EVENTS_QUEUE", &name);
    let service = installation.start();
    service.session(&installation);
    until("all is sent", || status(&installation)["pending"] == 0);
    let messages = objects(&python("read_rabbitmq.py", &[&url, &name]));
    let logged_in = messages
        .iter()
        .find(|message| message["routing_key"] == "user.logged.in");
    let logged_in = logged_in.unwrap_or_else(|| panic!("{messages:?}"));
    let event: Value = serde_json::from_str(logged_in["body"].as_str().unwrap()).unwrap();
    assert_eq!(event["type"], "UserLoggedIn");
    assert_eq!(logged_in["message_id"], event["id"]);
    assert_eq!(logged_in["delivery_mode"], 2);
    assert_eq!(logged_in["content_type"], "application/cloudevents+json");

    let plain = installation.with("TESSERA_RABBITMQ_PLAIN", "on");
    drop(service);
    let service = plain.start();
    service.session(&plain);
    until("all is sent", || status(&plain)["pending"] == 0);
    let messages = objects(&python("read_rabbitmq.py", &[&url, &name]));
    let body: Value = serde_json::from_str(messages[0]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["event"], "UserLoggedIn");
}

#[test]
fn a_broker_that_comes_late_gets_all_that_happened_and_nobody_waited_for_it() {
    let (mut kafka, topic) = (Kafka::planned(), unique("late"));
    let installation = Installation::embedded()
        .with("KAFKA_BOOTSTRAP_SERVERS", &kafka.address())
        .with("TESSERA_EVENTS_TOPIC", &topic);
    let service = installation.start();
    for _ in 0..20 {
        service.session(&installation);
    }
    assert_eq!(status(&installation)["sent"], 0);
    until("it is told", || service.log().contains("events wait"));

    kafka.start();
    python("read_kafka.py", &[&kafka.address(), &topic, "make"]);
    until("all is sent", || status(&installation)["pending"] == 0);
    // Restarts of a broker have stages, of which each may be told once.
    let told = service.log().matches("events wait").count();
    assert!((1..=3).contains(&told), "{}", service.log());
    until("its end is told", || {
        service.log().contains("events go out again")
    });
    let records = objects(&python("read_kafka.py", &[&kafka.address(), &topic]));
    let logged_in = |record: &&Value| record["headers"]["ce_type"] == "UserLoggedIn";
    assert_eq!(records.iter().filter(logged_in).count(), 20);
}

#[test]
fn kills_of_two_processes_lose_no_event_invent_none_and_keep_each_order() {
    let (brokers, topic) = (setting("TESSERA_TEST_KAFKA"), unique("kills"));
    python("read_kafka.py", &[&brokers, &topic, "make"]);
    let database = Database::create();
    let installation = Installation::on(&database)
        .with("KAFKA_BOOTSTRAP_SERVERS", &brokers)
        .with("TESSERA_EVENTS_TOPIC", &topic)
        .prepared();
    let work = |service: &Service, password: &str, answered: &Tally, stop: &AtomicBool| {
        while !stop.load(Ordering::Relaxed) {
            let Ok(answer) = log_in(ADMIN, password).send(service.address) else {
                return;
            };
            if answer.status == 200 {
                answered.add_one();
            }
        }
    };
    let mut services = vec![installation.start(), installation.start()];
    for _ in 0..KILLS {
        let (answered, stop) = (Tally::default(), AtomicBool::new(false));
        thread::scope(|scope| {
            for service in &services {
                for _ in 0..2 {
                    scope.spawn(|| work(service, &installation.password(), &answered, &stop));
                }
            }
            answered.reach(ANSWERS, "clients are at work");
            stop.store(true, Ordering::Relaxed);
        });
        services.remove(0).kill();
        services.push(installation.start());
    }
    // The one whose lease holds longest was killed last.
    until_within(60, "all is sent", || status(&installation)["pending"] == 0);
    drop(services);

    let committed = installation.json(&["events", "tail", "-n", "1000000"], "");
    let committed: BTreeMap<String, Value> = committed
        .as_array()
        .unwrap()
        .iter()
        .map(|shown| (id_of(shown), shown["event"].clone()))
        .collect();
    let records = objects(&python("read_kafka.py", &[&brokers, &topic]));
    let mut firsts: HashMap<String, Vec<u64>> = HashMap::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for record in &records {
        let event: Value = serde_json::from_str(record["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            committed.get(&id_of(&event)),
            Some(&event),
            "invented, or changed"
        );
        if seen.insert(id_of(&event)) {
            let sequence = text(&event, "sequence").parse().unwrap();
            firsts
                .entry(text(&event, "subject"))
                .or_default()
                .push(sequence);
        }
    }
    for (subject, sequences) in &firsts {
        assert!(sequences.is_sorted(), "{subject}: {sequences:?}");
    }
    let lost: Vec<&Value> = committed
        .iter()
        .filter(|(id, _)| !seen.contains(*id))
        .map(|(_, event)| event)
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(committed.len() > KILLS * ANSWERS);
}

fn status(installation: &Installation) -> Value {
    let all = installation.json(&["events", "status"], "");
    all[0].clone()
}

fn objects(lines: &str) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).unwrap();
    lines.lines().map(parse).collect()
}

fn id_of(event: &Value) -> String {
    text(event, "id")
}

fn text(event: &Value, name: &str) -> String {
    event[name].as_str().unwrap().to_owned()
}

/// A name that nothing else on the broker has.
fn unique(what: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let random = folder.path().file_name().unwrap().to_str().unwrap();
    format!("e2e-{what}-{}", random.trim_start_matches('.'))
}

const KILLS: usize = 6;
const ANSWERS: usize = 15;
