//! Bodies that nobody read to their end.
//!
//! When a handler drops a chunked body, actix reads and discards the rest of it before it closes the
//! connection, for as long as the client likes to send. While somebody holds the body it closes the
//! connection after the answer, within `client_disconnect_timeout`. So the answer holds it.

use core::cell::RefCell;
use core::error::Error;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::rc::Rc;

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::Stream;

/// The rest of the body of a request.
#[derive(Clone)]
pub(crate) struct Rest(Rc<RefCell<Payload>>);

impl Rest {
    /// Shares the body of `request` with its handler.
    pub(crate) fn of(request: &mut ServiceRequest) -> Self {
        let rest = Self(Rc::new(RefCell::new(request.take_payload())));
        request.set_payload(Payload::Stream {
            payload: Box::pin(rest.clone()),
        });
        rest
    }

    /// `body`, which holds the rest until it is sent.
    pub(crate) fn held_by(self, body: BoxBody) -> BoxBody {
        if matches!(*self.0.borrow(), Payload::None) {
            return body;
        }
        BoxBody::new(Holding { body, _rest: self })
    }
}

impl Stream for Rest {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut payload = self.0.borrow_mut();
        let next = Pin::new(&mut *payload).poll_next(context);
        if let Poll::Ready(None) = next {
            *payload = Payload::None;
        }
        next
    }
}

struct Holding {
    body: BoxBody,
    _rest: Rest,
}

impl MessageBody for Holding {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Weak;

    use actix_web::test::TestRequest;
    use futures_util::{StreamExt, stream};

    use super::*;

    /// A request whose body is `chunks`, and what lives as long as that body.
    fn request(
        chunks: impl Stream<Item = Result<Bytes, PayloadError>> + 'static,
    ) -> (ServiceRequest, Weak<()>) {
        let alive = Rc::new(());
        let seen = Rc::downgrade(&alive);
        let mut request = TestRequest::default().to_srv_request();
        request.set_payload(Payload::Stream {
            payload: Box::pin(chunks.inspect(move |_| drop(Rc::clone(&alive)))),
        });
        (request, seen)
    }

    #[actix_web::test]
    async fn what_a_handler_did_not_read_lives_until_the_answer_is_sent() {
        let (mut request, alive) = request(stream::pending());
        let rest = Rest::of(&mut request);
        drop(request.take_payload());
        drop(request);
        let body = rest.held_by(BoxBody::new("done"));
        assert!(alive.upgrade().is_some());
        assert_eq!(body.size(), BodySize::Sized(4));
        let sent = actix_web::body::to_bytes(body).await.unwrap();
        assert_eq!(sent, "done");
        assert!(alive.upgrade().is_none());
    }

    #[actix_web::test]
    async fn what_a_handler_read_to_its_end_is_let_go() {
        let chunks = stream::iter([Ok(Bytes::from_static(b"a")), Ok(Bytes::from_static(b"b"))]);
        let (mut request, alive) = request(chunks);
        let rest = Rest::of(&mut request);
        let read: Vec<_> = request.take_payload().map(Result::unwrap).collect().await;
        assert_eq!(read, ["a", "b"]);
        assert!(alive.upgrade().is_none());
        assert!(rest.held_by(BoxBody::new("done")).try_into_bytes().is_ok());
    }
}
