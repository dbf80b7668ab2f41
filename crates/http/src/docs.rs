//! The page that shows the API and lets people try it: Swagger UI, from files in the binary.

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_NONE_MATCH,
};
use actix_web::web::{Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, guard, web};

use crate::problem::Problem;

/// Serves the page and its files.
pub(crate) fn configure(config: &mut ServiceConfig) {
    let read = || guard::Any(guard::Get()).or(guard::Head());
    for path in ["/api/docs", "/api/docs/"] {
        config.service(web::resource(path).route(web::route().guard(read()).to(page)));
    }
    let files = web::resource("/api/docs/{file}");
    config.service(files.route(web::route().guard(read()).to(file)));
}

async fn page(request: HttpRequest) -> HttpResponse {
    PAGE.answer(&request)
}

async fn file(request: HttpRequest, name: Path<String>) -> Result<HttpResponse, Problem> {
    let asset = FILES.iter().find(|asset| asset.name == *name);
    asset
        .map(|asset| asset.answer(&request))
        .ok_or(Problem::NotFound)
}

/// A file in the binary.
struct Asset {
    name: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
    origin: Origin,
}

/// Where a file is from.
#[derive(Clone, Copy)]
enum Origin {
    Own,
    SwaggerUi,
}

impl Asset {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let tag = self.tag();
        let kept = named(request.headers(), &tag);
        let mut answer = if kept {
            HttpResponse::NotModified()
        } else {
            HttpResponse::Ok()
        };
        answer.insert_header((CACHE_CONTROL, self.caching(request)));
        answer.insert_header((CONTENT_SECURITY_POLICY, POLICY.clone()));
        answer.insert_header((ETAG, tag));
        if kept {
            return answer.finish();
        }
        answer.insert_header((CONTENT_TYPE, self.media_type));
        answer.body(self.bytes)
    }

    /// A file that is asked for by its version is never another one.
    fn caching(&self, request: &HttpRequest) -> HeaderValue {
        let version = request.query_string().strip_prefix("v=");
        HeaderValue::from_static(match self.origin {
            Origin::SwaggerUi if version == Some(VERSION) => "public, max-age=31536000, immutable",
            Origin::Own | Origin::SwaggerUi => "no-cache",
        })
    }

    fn tag(&self) -> String {
        match self.origin {
            Origin::Own => format!("\"{:016x}\"", fingerprint(self.bytes)),
            Origin::SwaggerUi => format!("\"{VERSION}\""),
        }
    }
}

/// Whether the client has the file of that tag (RFC 9110, section 13.1.2).
fn named(headers: &HeaderMap, tag: &str) -> bool {
    headers.get_all(IF_NONE_MATCH).any(|list| {
        let list = list.to_str().unwrap_or_default();
        let mut tags = list.split(',').map(str::trim);
        tags.any(|other| other == "*" || other.trim_start_matches("W/") == tag)
    })
}

/// FNV-1a: it tells one edit of a file of ours from the next, and nothing else.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Swagger UI draws its icons from `data:` addresses; it works with nothing inline.
static POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Of the files in `assets/swagger-ui`; the page asks for them by it.
const VERSION: &str = "5.35.0";

const PAGE: Asset = Asset {
    name: "index.html",
    media_type: "text/html; charset=utf-8",
    bytes: include_bytes!("../assets/docs/index.html"),
    origin: Origin::Own,
};

const FILES: [Asset; 6] = [
    PAGE,
    Asset {
        name: "favicon-32x32.png",
        media_type: "image/png",
        bytes: include_bytes!("../assets/swagger-ui/favicon-32x32.png"),
        origin: Origin::SwaggerUi,
    },
    Asset {
        name: "page.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/docs/page.css"),
        origin: Origin::Own,
    },
    Asset {
        name: "page.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/docs/page.js"),
        origin: Origin::Own,
    },
    Asset {
        name: "swagger-ui-bundle.js",
        media_type: "text/javascript; charset=utf-8",
        bytes: include_bytes!("../assets/swagger-ui/swagger-ui-bundle.js"),
        origin: Origin::SwaggerUi,
    },
    Asset {
        name: "swagger-ui.css",
        media_type: "text/css; charset=utf-8",
        bytes: include_bytes!("../assets/swagger-ui/swagger-ui.css"),
        origin: Origin::SwaggerUi,
    },
];

#[cfg(test)]
mod tests {
    use actix_web::App;
    use actix_web::body::to_bytes;
    use actix_web::http::StatusCode;
    use actix_web::test::{TestRequest, call_service, init_service};

    use super::*;

    async fn get(path: &str, tag: Option<&str>) -> HttpResponse {
        let app = init_service(App::new().configure(configure)).await;
        let request = TestRequest::with_uri(path);
        let request = match tag {
            Some(tag) => request.insert_header((IF_NONE_MATCH, tag)),
            None => request,
        };
        call_service(&app, request.to_request()).await.into()
    }

    fn header(answer: &HttpResponse, name: &str) -> String {
        answer
            .headers()
            .get(name)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    }

    async fn text(answer: HttpResponse) -> String {
        let bytes = to_bytes(answer.into_body()).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[actix_web::test]
    async fn the_page_asks_only_for_files_that_exist() {
        for path in ["/api/docs", "/api/docs/"] {
            let page = text(get(path, None).await).await;
            let quoted = page
                .split('"')
                .filter(|part| part.starts_with("/api/docs/"));
            let files: Vec<_> = quoted.collect();
            assert_eq!(files.len(), 5, "{path}");
            for file in files {
                assert_eq!(get(file, None).await.status(), StatusCode::OK, "{file}");
            }
        }
    }

    #[actix_web::test]
    async fn an_unknown_file_is_not_found() {
        for path in [
            "/api/docs/x.js",
            "/api/docs/..%2fdocs.rs",
            "/api/docs/swagger-ui/x",
        ] {
            assert_eq!(
                get(path, None).await.status(),
                StatusCode::NOT_FOUND,
                "{path}"
            );
        }
    }

    #[actix_web::test]
    async fn a_file_asked_for_by_its_version_is_kept_for_good() {
        let versioned = get("/api/docs/swagger-ui.css?v=5.35.0", None).await;
        assert!(header(&versioned, "cache-control").ends_with("immutable"));
        for path in [
            "/api/docs/swagger-ui.css",
            "/api/docs/swagger-ui.css?v=1",
            "/api/docs/page.js?v=5.35.0",
        ] {
            assert_eq!(
                header(&get(path, None).await, "cache-control"),
                "no-cache",
                "{path}"
            );
        }
    }

    #[actix_web::test]
    async fn a_file_that_the_client_has_is_not_sent_again() {
        for path in [
            "/api/docs/",
            "/api/docs/page.js",
            "/api/docs/swagger-ui-bundle.js",
        ] {
            let tag = header(&get(path, None).await, "etag");
            let again = get(path, Some(&format!("\"x\", W/{tag}"))).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{path}");
            assert_eq!(
                get(path, Some("\"x\"")).await.status(),
                StatusCode::OK,
                "{path}"
            );
        }
    }

    #[actix_web::test]
    async fn the_page_needs_no_script_and_no_style_of_its_own() {
        let page = text(get("/api/docs/", None).await).await;
        assert!(!page.contains("<style") && !page.contains("style="));
        assert!(
            page.match_indices("<script").count() == page.match_indices("<script src=\"/").count()
        );
    }
}
