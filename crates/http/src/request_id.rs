//! The id that a request has in the log and in its answer.

use core::cell::{Cell, RefCell};
use core::future::poll_fn;

use actix_web::http::header::{HeaderName, HeaderValue};
use tessera_app::Entropy;

/// The id of one request: 1 to 128 letters, digits, dots, hyphens and underscores.
#[derive(Clone, Debug)]
pub(crate) enum RequestId {
    /// The one that the client gave.
    Given(HeaderValue),
    /// One of ours, in place: a shared text would be counted by atomic operations at each clone.
    Made([u8; LENGTH]),
}

impl RequestId {
    /// The id that the client gave, if it is one.
    pub(crate) fn given(value: &HeaderValue) -> Option<Self> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
        let bytes = value.as_bytes();
        let sized = (1..=MAX_LENGTH).contains(&bytes.len());
        (sized && bytes.iter().all(allowed)).then(|| Self::Given(value.clone()))
    }

    /// As a text.
    pub(crate) fn as_str(&self) -> &str {
        core::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// As the value of a header field.
    pub(crate) fn header(&self) -> HeaderValue {
        match self {
            Self::Given(value) => value.clone(),
            // Hexadecimal digits are a valid value.
            Self::Made(digits) => {
                HeaderValue::from_bytes(digits).unwrap_or(HeaderValue::from_static("none"))
            }
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Given(value) => value.as_bytes(),
            Self::Made(digits) => digits,
        }
    }

    /// Does `work` for the request of this id.
    pub(crate) fn during<T>(self, work: impl FnOnce() -> T) -> T {
        let _outer = Outer(CURRENT.replace(Some(self)));
        work()
    }

    /// The id of the request that this thread works for.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.with_borrow(Clone::clone)
    }
}

/// Gives `read` the id of the request that this thread works for, if it works for one.
///
/// It is what ties the lines of a log to a request; a span for each request would cost more than
/// all else that surrounds one.
pub fn current_request_id<T>(read: impl FnOnce(Option<&str>) -> T) -> T {
    CURRENT.with_borrow(|id| read(id.as_ref().map(RequestId::as_str)))
}

/// Work for the request that this thread works for, wherever it is polled.
pub(crate) fn in_current_request<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    let id = RequestId::current();
    let mut work = Box::pin(work);
    poll_fn(move |context| match &id {
        None => work.as_mut().poll(context),
        Some(id) => id.clone().during(|| work.as_mut().poll(context)),
    })
}

/// What the thread worked for before, and works for again, also after a panic.
struct Outer(Option<RequestId>);

impl Drop for Outer {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

thread_local! {
    static CURRENT: RefCell<Option<RequestId>> = const { RefCell::new(None) };
}

/// Makes the ids of one worker: a random half that no other worker has, and one that is never the
/// same twice. They need to be unique, not secret, so entropy is asked once and not per request.
pub(crate) struct RequestIds {
    worker: [u8; LENGTH / 2],
    next: Cell<u64>,
}

impl RequestIds {
    /// Ids that no other worker makes.
    pub(crate) fn new(entropy: &dyn Entropy) -> Self {
        let (mut worker, mut first) = ([0; 8], [0; 8]);
        entropy.fill(&mut worker);
        entropy.fill(&mut first);
        Self {
            worker: hexadecimal(u64::from_be_bytes(worker)),
            next: Cell::new(u64::from_be_bytes(first)),
        }
    }

    /// The next id.
    pub(crate) fn next(&self) -> RequestId {
        let next = self.next.get().wrapping_add(STRIDE);
        self.next.set(next);
        let mut digits = [0; LENGTH];
        let (worker, number) = digits.split_at_mut(LENGTH / 2);
        worker.copy_from_slice(&self.worker);
        number.copy_from_slice(&hexadecimal(next));
        RequestId::Made(digits)
    }
}

/// The field that carries the id, in and out.
pub(crate) static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The digits of `number`; a formatter would take as long as all else that makes an id.
fn hexadecimal(number: u64) -> [u8; 16] {
    let mut shift = 64_u32;
    [(); 16].map(|()| {
        shift = shift.saturating_sub(4);
        let digit = u8::try_from(number >> shift & 0xf).unwrap_or(0);
        if digit < 10 {
            b'0' + digit
        } else {
            b'a' + (digit - 10)
        }
    })
}

const MAX_LENGTH: usize = 128;

/// The length of a made id.
const LENGTH: usize = 32;

/// Odd, so all 2^64 values come before one comes again; large, so ids do not tell how many there were.
const STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    struct Fixed(u8);

    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn given(text: &[u8]) -> Option<String> {
        let value = HeaderValue::from_bytes(text).unwrap();
        RequestId::given(&value).map(|id| id.as_str().to_owned())
    }

    #[test]
    fn a_given_id_is_kept_if_it_cannot_do_harm() {
        assert_eq!(given(b"a-B_9.z").as_deref(), Some("a-B_9.z"));
        assert_eq!(given(&[b'x'; 128]).map(|id| id.len()), Some(128));
        for bad in [
            &b""[..],
            b"a b",
            b"a\"b",
            b"a,b",
            b"a;b",
            b"caf\xc3\xa9",
            &[b'x'; 129],
        ] {
            assert_eq!(given(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_id_is_made_of_hexadecimal_digits() {
        for number in [0, 1, 0xf, 0x0123_4567_89ab_cdef, u64::MAX] {
            assert_eq!(hexadecimal(number), *format!("{number:016x}").as_bytes());
        }
    }

    #[test]
    fn no_two_made_ids_are_the_same() {
        let (one, other) = (RequestIds::new(&Fixed(1)), RequestIds::new(&Fixed(2)));
        let ids = [one.next(), one.next(), other.next(), other.next()];
        let unique: BTreeSet<_> = ids.iter().map(RequestId::as_str).collect();
        assert_eq!(unique.len(), 4);
        assert!(
            ids.iter()
                .all(|id| RequestId::given(&id.header()).is_some())
        );
    }
}
