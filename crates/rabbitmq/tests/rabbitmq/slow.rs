//! A broker that confirms some of a call's messages before the time-out, and not the others.

use core::time::Duration;
use std::collections::HashSet;

use tessera_app::{Occasion, Publisher, Receipt, StoredEvent};
use tessera_rabbitmq::{RabbitMqPublisher, RabbitMqSettings};
use tokio::io::{self, AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::server::{VirtualHost, bodies, either, event, settings};

#[tokio::test]
async fn what_is_confirmed_before_the_time_out_is_sent() {
    let corner = VirtualHost::new();
    let between = Between::new(&corner, Trouble::Stalls(300_000)).await;
    let publisher = only_for_users(&corner, &between).await;
    let batch: Vec<StoredEvent> = (2..4_000).map(either).collect();
    let events: Vec<&StoredEvent> = batch.iter().collect();
    let publishing = publisher.publish(&events, Occasion::News);
    let receipts = timeout(PATIENCE * 2, publishing).await.unwrap();
    let arrived: HashSet<String> = bodies(&corner.url()).await.into_iter().collect();
    let (mut sent, mut held, mut unknown) = (0, 0, 0);
    for (event, receipt) in batch.iter().zip(&receipts) {
        match receipt {
            Receipt::Sent => {
                assert!(arrived.contains(&event.body), "{}", event.body);
                sent += 1;
            }
            Receipt::Held(reason) => {
                assert!(reason.contains("NO_ROUTE"), "{reason}");
                assert_eq!(event.event_type, "TenantCreated");
                held += 1;
            }
            Receipt::Unavailable(_) => unknown += 1,
            Receipt::Rejected(reason) => panic!("{reason}"),
        }
    }
    assert!(sent > 100 && held > 50, "{sent} sent, {held} held");
    assert!(unknown > 3_000, "{unknown} unknown");
}

#[tokio::test]
async fn a_confirmation_with_the_return_of_another_message_says_nothing_of_its_own() {
    let corner = VirtualHost::new();
    let between = Between::new(&corner, Trouble::ConfirmsOnlyTheSecond).await;
    let publisher = only_for_users(&corner, &between).await;
    let unroutable = |number| StoredEvent {
        event_type: "TenantCreated".to_owned(),
        ..event(number)
    };
    let (first, second) = (unroutable(2), unroutable(3));
    let receipts = publisher.publish(&[&first, &second], Occasion::News).await;
    assert!(
        matches!(
            &*receipts,
            [Receipt::Unavailable(_), Receipt::Unavailable(_)]
        ),
        "{receipts:?}"
    );
}

/// A publisher that is connected, and has no queue bound for what is not a user's.
async fn only_for_users(corner: &VirtualHost, between: &Between) -> RabbitMqPublisher {
    let publisher = RabbitMqPublisher::new(RabbitMqSettings {
        time_out: PATIENCE,
        ..settings(between.url.clone())
    })
    .unwrap();
    let receipts = publisher.publish(&[&event(1)], Occasion::News).await;
    assert_eq!(receipts, [Receipt::Sent]);
    corner.rebind("#", "user.#").await;
    publisher
}

/// Stands between a publisher and the broker.
struct Between {
    url: String,
    _connections: JoinSet<()>,
}

#[derive(Clone, Copy)]
enum Trouble {
    /// From the first message on that is returned, confirms only the one after it.
    ConfirmsOnlyTheSecond,
    /// The broker gets no more than so many bytes.
    Stalls(u64),
}

impl Between {
    async fn new(corner: &VirtualHost, trouble: Trouble) -> Self {
        let url = corner.url();
        let (user, rest) = url.split_once('@').unwrap();
        let (broker, name) = rest.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let broker = broker.to_owned();
        let mut connections = JoinSet::new();
        let url = format!("{user}@{here}/{name}");
        // A publisher has one connection.
        connections.spawn(async move {
            let (client, _) = listener.accept().await.unwrap();
            let broker = TcpStream::connect(broker).await.unwrap();
            let (from_client, to_client) = client.into_split();
            let (from_broker, to_broker) = broker.into_split();
            match trouble {
                Trouble::ConfirmsOnlyTheSecond => tokio::join!(
                    carry(from_client, to_broker, u64::MAX),
                    confirm_only_the_second(from_broker, to_client),
                ),
                Trouble::Stalls(bytes) => tokio::join!(
                    carry(from_client, to_broker, bytes),
                    carry(from_broker, to_client, u64::MAX),
                ),
            };
        });
        Self {
            url,
            _connections: connections,
        }
    }
}

/// Carries so many bytes, and keeps the connection open.
async fn carry(from: OwnedReadHalf, mut to: OwnedWriteHalf, bytes: u64) {
    // Either side may go at any time.
    let _carried = io::copy(&mut from.take(bytes), &mut to).await;
    core::future::pending::<()>().await;
}

/// Carries the broker's frames. Once it has carried the body of a message that was returned, leaves
/// confirmations out, and after the second one adds that of the third message of all.
async fn confirm_only_the_second(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut bodies = 0;
    loop {
        let kind = from.read_u8().await.unwrap();
        let channel = from.read_u16().await.unwrap();
        let size = from.read_u32().await.unwrap();
        let mut rest = vec![0; usize::try_from(size).unwrap() + 1];
        from.read_exact(&mut rest).await.unwrap();
        if bodies > 0 && kind == METHOD && rest.starts_with(&BASIC_ACK) {
            continue;
        }
        to.write_all(&frame(kind, channel, size, &rest))
            .await
            .unwrap();
        if kind == BODY {
            bodies += 1;
            if bodies == 2 {
                let third_and_no_others = [0, 0, 0, 0, 0, 0, 0, 3, 0];
                let rest: [&[u8]; 3] = [&BASIC_ACK, &third_and_no_others, &[END]];
                let ack = frame(METHOD, channel, 13, &rest.concat());
                to.write_all(&ack).await.unwrap();
            }
        }
    }
}

fn frame(kind: u8, channel: u16, size: u32, rest: &[u8]) -> Vec<u8> {
    let parts: [&[u8]; 4] = [&[kind], &channel.to_be_bytes(), &size.to_be_bytes(), rest];
    parts.concat()
}

const PATIENCE: Duration = Duration::from_secs(3);

const METHOD: u8 = 1;
const BODY: u8 = 3;
const END: u8 = 0xce;
const BASIC_ACK: [u8; 4] = [0, 60, 0, 80];
