//! The pages that mails lead to, where no page of somebody else is configured: from files in the
//! binary.
//!
//! A page does nothing by itself, as programs that look through mails open links too: its script
//! shows the token of the link to the API once somebody presses the button. A token says itself
//! which tenant it is of, so the pages are the same for all of them.

use actix_web::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse, guard, web};

use crate::problem::Problem;

/// Serves the pages, each with and without a final slash. They name their files without a path, as a
/// proxy may serve us below one of its own: so the files are beside a page in either form.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let read = || web::route().guard(guard::Any(guard::Get()).or(guard::Head()));
    for page in &PAGES {
        for end in ["", "/"] {
            let path = format!("/account/{}{end}", page.name);
            let answer = || async { page.answer() };
            config.service(web::resource(path).route(read().to(answer)));
        }
    }
    for path in ["/account/{file}", "/account/{page}/{file}"] {
        config.service(web::resource(path).route(read().to(file)));
    }
}

async fn file(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let name = request.match_info().get("file");
    let file = FILES.iter().find(|file| Some(file.name) == name);
    file.map(File::answer).ok_or(Problem::NotFound)
}

/// A file in the binary.
struct File {
    name: &'static str,
    media_type: &'static str,
    text: &'static str,
}

impl File {
    /// Nobody keeps it: the address of a page has a token in it.
    fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CONTENT_SECURITY_POLICY, POLICY.clone()))
            .insert_header((CONTENT_TYPE, self.media_type))
            .body(self.text)
    }
}

const fn page(name: &'static str, text: &'static str) -> File {
    File {
        name,
        media_type: "text/html; charset=utf-8",
        text,
    }
}

static POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// By the names that links in mails have.
static PAGES: [File; 3] = [
    page(
        "change-email",
        include_str!("../assets/account/change-email.html"),
    ),
    page(
        "reset-password",
        include_str!("../assets/account/reset-password.html"),
    ),
    page(
        "verify-email",
        include_str!("../assets/account/verify-email.html"),
    ),
];

static FILES: [File; 2] = [
    File {
        name: "page.css",
        media_type: "text/css; charset=utf-8",
        text: include_str!("../assets/account/page.css"),
    },
    File {
        name: "page.js",
        media_type: "text/javascript; charset=utf-8",
        text: include_str!("../assets/account/page.js"),
    },
];
