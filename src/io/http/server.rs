//! Connections: taken, bounded, answered once, closed.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::{Answer, Page};

/// A Prometheus, a person and a load balancer at once, and some to spare. Times the size of an answer (1 MiB with 500
/// files) this is what readers that never read can make us hold.
const CONNECTIONS_MAX: usize = 8;
/// A whole conversation: longer than a scrape may take (Prometheus waits 10 s), with the wait for a loop that is busy.
const CONVERSATION_MAX: Duration = Duration::from_secs(10);
/// A request of any real client is there at once.
const REQUEST_MAX: Duration = Duration::from_secs(5);
/// The least that hyper takes; a scrape's request is 300 bytes.
const REQUEST_BYTES_MAX: usize = 8 * 1024;
/// A scrape sends six.
const HEADERS_MAX: usize = 32;
/// Without a descriptor for it a connection waits in the kernel's queue, and so do we.
const NO_DESCRIPTOR_PAUSE: Duration = Duration::from_millis(200);

/// Takes connections for ever.
pub async fn accept<A, F>(listener: TcpListener, answer: A)
where
    A: Fn(Page) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let mut connections: VecDeque<JoinHandle<()>> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(NO_DESCRIPTOR_PAUSE).await;
            continue;
        };
        connections.retain(|connection| !connection.is_finished());
        // Whoever means well is answered within milliseconds, so the oldest is the one that does not.
        if connections.len() >= CONNECTIONS_MAX
            && let Some(oldest) = connections.pop_front()
        {
            oldest.abort();
        }
        connections.push_back(tokio::spawn(converse(stream, answer.clone())));
    }
}

/// One request, one answer.
async fn converse<A, F>(stream: TcpStream, answer: A)
where
    A: Fn(Page) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Answer> + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer.clone();
        async move { Ok::<_, Infallible>(respond(&request, answer).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_MAX)
        .max_buf_size(REQUEST_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    // What a stranger did wrong, or how slow he was, is nothing to tell anybody.
    let _ = tokio::time::timeout(CONVERSATION_MAX, connection).await;
}

async fn respond<A, F>(request: &Request<Incoming>, answer: A) -> Response<Full<Bytes>>
where
    A: Fn(Page) -> F,
    F: Future<Output = Answer>,
{
    let plain = |status, text: &'static str| (status, Answer::text(true, text.to_owned()));
    let (status, answer) = match (request.method(), Page::at(request.uri().path())) {
        (&Method::GET, Some(page)) => {
            let answer = answer(page).await;
            (if answer.is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, answer)
        }
        (&Method::GET, None) => {
            plain(StatusCode::NOT_FOUND, "There are /metrics, /healthz, /readyz and /status.\n")
        }
        (_, _) => plain(StatusCode::METHOD_NOT_ALLOWED, "Only GET is answered.\n"),
    };
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(answer.media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        headers.insert(ALLOW, HeaderValue::from_static("GET"));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::io::http::{Server, bind, client, serve};

    const PATIENCE: Duration = Duration::from_secs(5);

    fn served(body: &'static str) -> (SocketAddr, Arc<AtomicUsize>, Server) {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let server = serve(listener, move |page| {
            counter.fetch_add(1, Ordering::Relaxed);
            async move { Answer::text(page != Page::Ready, body.to_owned()) }
        })
        .unwrap();
        (address, asked, server)
    }

    /// What the server says to these bytes until it hangs up.
    fn say(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may hang up before it has read everything.
        let _ = stream.write_all(bytes);
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_page_is_answered_once_and_the_connection_is_closed() {
        let (address, _, _server) = served("hello");
        let text = say(
            address,
            b"GET /metrics?x=y HTTP/1.1\r\nHost: a\r\n\r\nGET /status HTTP/1.1\r\nHost: a\r\n\r\n",
        );
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
        assert!(text.ends_with("\r\n\r\nhello"), "{text}");
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
        let answer = client::get(address, "/readyz", PATIENCE).unwrap();
        assert_eq!((answer.status, &*answer.body), (503, &b"hello"[..]));
    }

    #[test]
    fn nothing_but_get_of_a_known_page_is_answered_and_nothing_is_repeated() {
        let (address, asked, _server) = served("hello");
        for (request, status) in [
            ("POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", "405"),
            ("HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "405"),
            ("GET /etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
            ("GET /metrics/../status HTTP/1.1\r\nHost: a\r\n\r\n", "404"),
            ("noise \x1b[2J\r\n\r\n", "400"),
        ] {
            let text = say(address, request.as_bytes());
            assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{request:?}: {text}");
            assert!(!text.contains("passwd") && !text.contains('\x1b'), "{text}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_request_without_end_is_cut_off() {
        let (address, asked, _server) = served("hello");
        let mut endless = b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: ".to_vec();
        endless.resize(1 << 20, b'x');
        let text = say(address, &endless);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
        let text = say(address, many.as_bytes());
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 4"), "{text}");
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn strangers_that_say_nothing_do_not_keep_a_client_waiting() {
        let (address, _, _server) = served("hello");
        let strangers: Vec<TcpStream> = (0..300)
            .map(|number| {
                let mut stranger = TcpStream::connect(address).unwrap();
                if number % 2 == 0 {
                    // It may have been hung up on already.
                    let _ = stranger.write_all(b"GET /metrics HTTP/1.1\r\nHo");
                }
                stranger
            })
            .collect();
        let answer = client::get(address, "/metrics", PATIENCE).unwrap();
        assert_eq!((answer.status, &*answer.body), (200, &b"hello"[..]));
        let open = strangers.iter().filter(|stranger| is_open(stranger)).count();
        assert!(open <= CONNECTIONS_MAX, "{open} connections are open");
    }

    #[test]
    fn what_is_closed_hangs_up_and_leaves_the_address_to_others() {
        let (address, _, server) = served("hello");
        let stranger = TcpStream::connect(address).unwrap();
        assert_eq!(client::get(address, "/metrics", PATIENCE).unwrap().status, 200);
        drop(server);
        bind(address).unwrap();
        assert!(!is_open(&stranger));
    }

    /// Whether the server has not hung up.
    fn is_open(mut stream: &TcpStream) -> bool {
        stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        match stream.read(&mut [0; 1]) {
            Ok(0) => false,
            Ok(_) => true,
            Err(error) => {
                matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
            }
        }
    }
}
