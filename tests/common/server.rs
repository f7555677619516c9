//! A server on loopback that answers as a test tells it to, and records the requests.
#![allow(clippy::expect_used, dead_code, unreachable_pub, reason = "each test uses its part")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request of a client.
#[derive(Debug, Clone)]
pub struct Request {
    pub path: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A connection: plain or TLS.
pub trait Connection: Read + Write + Send {}

impl<T: Read + Write + Send> Connection for T {}

type Handler = dyn Fn(&Request, &mut dyn Connection) + Send + Sync;

pub struct Server {
    address: SocketAddr,
    scheme: &'static str,
    asked: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
}

impl Server {
    /// Starts a server that reads a request and passes it to `handler`, on a thread for each
    /// connection.
    pub fn new(handler: impl Fn(&Request, &mut dyn Connection) + Send + Sync + 'static) -> Self {
        Self::serve("http", Arc::new(handler), |stream| Some(Box::new(stream)))
    }

    /// Starts a server over TLS, with a certificate for 127.0.0.1. Returns the server and the
    /// certificate's PEM.
    pub fn tls(handler: impl Fn(&Request, &mut dyn Connection) + Send + Sync + 'static) -> (Self, String) {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![own.cert.der().clone()], key)
            .expect("a key that fits");
        let config = Arc::new(config);
        let server = Self::serve("https", Arc::new(handler), move |stream| {
            let connection = rustls::ServerConnection::new(config.clone()).ok()?;
            Some(Box::new(rustls::StreamOwned::new(connection, stream)))
        });
        (server, own.cert.pem())
    }

    fn serve(
        scheme: &'static str,
        handler: Arc<Handler>,
        wrap: impl Fn(TcpStream) -> Option<Box<dyn Connection>> + Send + Sync + 'static,
    ) -> Self {
        let (asked, over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let (log, wrap) = (asked.clone(), Arc::new(wrap));
        let address = accept(&over, move |stream| {
            let Some(mut connection) = wrap(stream) else { return };
            if let Some(request) = read_request(&mut *connection) {
                log.lock().expect("no panic").push(request.clone());
                handler(&request, &mut *connection);
                connection.flush().ok();
            }
        });
        Self { address, scheme, asked, over }
    }

    /// Starts a server that passes the bare connection to `handler`, before anything is read from
    /// it.
    pub fn raw(handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let (asked, over) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let address = accept(&over, handler);
        Self { address, scheme: "http", asked, over }
    }

    /// Returns the URL of the server's map.
    pub fn url(&self) -> String {
        format!("{}://{}/map.json", self.scheme, self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("no panic").clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // A connection to itself ends the server's wait for the next one.
        TcpStream::connect(self.address).ok();
    }
}

fn accept(over: &Arc<AtomicBool>, handler: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (over, handler) = (over.clone(), Arc::new(handler));
    thread::spawn(move || {
        for stream in listener.incoming() {
            if over.load(Ordering::SeqCst) {
                return;
            }
            if let Ok(stream) = stream {
                let handler = handler.clone();
                thread::spawn(move || handler(stream));
            }
        }
    });
    address
}

/// Reads the head of a request, as far as the client sends it.
fn read_request(connection: &mut dyn Connection) -> Option<Request> {
    let mut lines = BufReader::new(connection).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut headers = Vec::new();
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    Some(Request { path, headers })
}

/// Writes an answer with its length.
pub fn answer(connection: &mut dyn Connection, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    let headers: String =
        headers.iter().map(|(name, value)| name.to_string() + ": " + value + "\r\n").collect();
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    // Some tests cover clients that disconnect early.
    connection.write_all(text.as_bytes()).and_then(|()| connection.write_all(body)).ok();
}
