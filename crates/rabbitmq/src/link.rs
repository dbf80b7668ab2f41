//! A connection to the broker, with what has to be there before anything is sent.

use core::time::Duration;
use std::collections::BTreeSet;
use std::io;
use std::net::{Shutdown, TcpStream as Socket};
use std::sync::{Arc, OnceLock};

use async_compat::Compat;
use lapin::options::{
    BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::protocol::AMQPError;
use lapin::tcp::AsyncTcpStream;
use lapin::types::{FieldTable, ShortString};
use lapin::uri::AMQPScheme;
use lapin::{Channel, Connection, ConnectionProperties, Error, ErrorKind, ExchangeKind, runtime};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::flight::Flight;
use crate::message::Message;
use crate::settings::Target;

/// An open connection and the channel in use.
pub(crate) struct Link {
    connection: Connection,
    channel: Option<Channel>,
    /// The routing keys that were forbidden when last used. Their messages go apart, as each that
    /// is refused takes the channel down.
    pub(crate) forbidden: BTreeSet<ShortString>,
    _socket: Closing,
}

impl Link {
    /// Connects, within what the caller allows; reaching the host takes at most `patience`, also
    /// when the caller has gone.
    pub(crate) async fn open(
        target: &Target,
        topology: &Topology,
        patience: Duration,
        handle: &Handle,
    ) -> Result<Self, String> {
        let (connection, socket) = connect(target, patience, handle)
            .await
            .map_err(|error| format!("no connection to RabbitMQ: {}", reason(&error)))?;
        topology.declare(&connection).await?;
        Ok(Self {
            connection,
            channel: None,
            forbidden: BTreeSet::new(),
            _socket: socket,
        })
    }

    /// Whether it is worth being tried.
    pub(crate) fn is_open(&self) -> bool {
        self.connection.status().connected()
    }

    /// Whether the broker said that it reads no more from it.
    pub(crate) fn is_blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// Lets the channel go, with all that is not confirmed on it.
    pub(crate) fn leave_channel(&mut self) {
        self.channel = None;
    }

    /// Publishes the messages, and waits until each is confirmed, or something goes wrong. What
    /// becomes of each is in `flight`, also when this is dropped.
    pub(crate) async fn publish<'a>(
        &mut self,
        exchange: &ShortString,
        options: BasicPublishOptions,
        messages: &[&'a Message<'a>],
        flight: &mut Flight<'a>,
    ) -> Result<(), Error> {
        let channel = self.channel().await?;
        for message in messages {
            flight.wait(WINDOW - 1).await;
            if flight.has_failed() {
                break;
            }
            flight.add(channel.clone(), exchange.clone(), options, message);
        }
        flight.wait(0).await;
        Ok(())
    }

    async fn channel(&mut self) -> Result<&Channel, Error> {
        let channel = match self.channel.take() {
            Some(channel) if channel.status().connected() => channel,
            _ => {
                let channel = self.connection.create_channel().await?;
                channel
                    .confirm_select(ConfirmSelectOptions::default())
                    .await?;
                channel
            }
        };
        Ok(self.channel.insert(channel))
    }
}

/// What events go through.
pub(crate) struct Topology {
    pub(crate) exchange: ShortString,
    pub(crate) queue: ShortString,
}

impl Topology {
    /// Makes what is missing, and takes what is there. The broker answers a refusal by closing the
    /// channel, so each step has its own.
    async fn declare(&self, connection: &Connection) -> Result<(), String> {
        self.declare_exchange(connection).await?;
        self.declare_queue(connection).await?;
        match self.bind(connection).await {
            // Whoever may not bind relies on the operator's bindings.
            Err(error) if code(&error) == Some(ACCESS_REFUSED) => Ok(()),
            bound => bound.map_err(|error| reason(&error)),
        }
    }

    async fn declare_exchange(&self, connection: &Connection) -> Result<(), String> {
        let declare = async |passive| {
            let options = ExchangeDeclareOptions {
                durable: true,
                passive,
                ..ExchangeDeclareOptions::default()
            };
            let channel = connection.create_channel().await?;
            let (name, arguments) = (self.exchange.clone(), FieldTable::default());
            channel
                .exchange_declare(name, ExchangeKind::Topic, options, arguments)
                .await
        };
        let refused = match declare(false).await {
            Err(error) if is_refused(&error) => error,
            declared => return declared.map_err(|error| reason(&error)),
        };
        if reason(&refused).contains("'type'") {
            let exchange = self.exchange.as_str();
            return Err(format!(
                "the exchange {exchange} is there and is no topic exchange: {}",
                reason(&refused)
            ));
        }
        let declared = declare(true).await;
        declared.map_err(|error| as_it_is(&refused, &error))
    }

    async fn declare_queue(&self, connection: &Connection) -> Result<(), String> {
        let declare = async |passive| {
            let options = QueueDeclareOptions {
                passive,
                ..QueueDeclareOptions::durable()
            };
            let channel = connection.create_channel().await?;
            let queue = self.queue.clone();
            let declared = channel.queue_declare(queue, options, FieldTable::default());
            declared.await.map(|_queue| ())
        };
        let refused = match declare(false).await {
            Err(error) if is_refused(&error) => error,
            declared => return declared.map_err(|error| reason(&error)),
        };
        // What goes with its consumer or with the broker stores nothing.
        let lasting = ["'durable'", "'auto_delete'", "'exclusive'"];
        if lasting.iter().any(|name| reason(&refused).contains(name)) {
            let queue = self.queue.as_str();
            return Err(format!(
                "the queue {queue} is there and does not last: {}",
                reason(&refused)
            ));
        }
        let declared = declare(true).await;
        declared.map_err(|error| as_it_is(&refused, &error))
    }

    async fn bind(&self, connection: &Connection) -> Result<(), Error> {
        let channel = connection.create_channel().await?;
        let (queue, exchange) = (self.queue.clone(), self.exchange.clone());
        let (options, arguments) = (QueueBindOptions::default(), FieldTable::default());
        let bound = channel.queue_bind(queue, exchange, "#".into(), options, arguments);
        bound.await
    }
}

/// A socket that ends with this. Else lapin waits for ever for a broker that says nothing before
/// the connection has a heartbeat.
struct Closing(Arc<OnceLock<Socket>>);

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(socket) = self.0.get() {
            // What is closed already is as good.
            let _closed = socket.shutdown(Shutdown::Both);
        }
    }
}

async fn connect(
    target: &Target,
    patience: Duration,
    handle: &Handle,
) -> Result<(Connection, Closing), Error> {
    let runtime = {
        let _entered = handle.enter();
        runtime::default_runtime()?
    };
    let closing = Closing(Arc::default());
    let socket = Arc::downgrade(&closing.0);
    let tls = target.tls();
    let connection = Connection::connector(
        target.uri.clone(),
        runtime,
        async move |uri, _runtime| {
            let address = (&*uri.authority.host, uri.authority.port);
            let stream = timeout(patience, TcpStream::connect(address))
                .await
                .map_err(io::Error::from)??;
            stream.set_nodelay(true)?;
            let stream = stream.into_std()?;
            let Some(kept) = socket.upgrade() else {
                return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
            };
            // It is set once, as there are no retries.
            let _earlier = kept.set(stream.try_clone()?);
            let stream = AsyncTcpStream::Plain(Compat::new(TcpStream::from_std(stream)?));
            Ok(match uri.scheme {
                AMQPScheme::AMQP => stream,
                AMQPScheme::AMQPS => stream.into_tls(&uri.authority.host, tls.as_ref()).await?,
            })
        },
        ConnectionProperties::default().with_connection_name("tessera".into()),
    )
    .await?;
    Ok((connection, closing))
}

/// Whether the broker closed the channel for a message that it will never take.
pub(crate) fn is_too_large(error: &Error) -> bool {
    code(error) == Some(PRECONDITION_FAILED) && reason(error).contains("message size")
}

/// Whether the broker closed the channel for a message that the user may not send.
pub(crate) fn is_forbidden(error: &Error) -> bool {
    code(error) == Some(ACCESS_REFUSED)
}

/// What the broker said, or what happened to the connection.
pub(crate) fn reason(error: &Error) -> String {
    said(error).map_or_else(|| error.to_string(), |said| said.get_message().to_string())
}

fn as_it_is(refused: &Error, passive: &Error) -> String {
    format!("{}; and as it is: {}", reason(refused), reason(passive))
}

fn is_refused(error: &Error) -> bool {
    matches!(code(error), Some(ACCESS_REFUSED | PRECONDITION_FAILED))
}

fn code(error: &Error) -> Option<u16> {
    said(error).map(AMQPError::get_id)
}

fn said(error: &Error) -> Option<&AMQPError> {
    if let ErrorKind::ProtocolError(said) = error.kind() {
        Some(said)
    } else {
        None
    }
}

/// As many are on their way at once: a durable queue confirms what it has only some times a second,
/// and what is on its way when a call ends comes again.
const WINDOW: usize = 1_024;

const ACCESS_REFUSED: u16 = 403;
const PRECONDITION_FAILED: u16 = 406;
