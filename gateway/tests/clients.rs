//! The files as the clients of others fetch them: curl over HTTP and TFTP, busybox over TFTP. The box's packets go over real sockets
//! on the loopback.

#[path = "office/mod.rs"]
mod office;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use gateway::Input;
use gateway::provision::HttpEvent;
use office::*;

/// Runs `client` beside a box with these ports; what it printed.
fn beside(client: impl FnOnce(u16, u16) -> Output + Send) -> Output {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let (requests, data) = (UdpSocket::bind(any).unwrap(), UdpSocket::bind(any).unwrap());
    let listener = TcpListener::bind(any).unwrap();
    listener.set_nonblocking(true).unwrap();
    let wait = Some(Duration::from_millis(1));
    requests.set_read_timeout(wait).unwrap();
    data.set_read_timeout(wait).unwrap();
    let ports = (
        listener.local_addr().unwrap().port(),
        requests.local_addr().unwrap().port(),
    );
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let running = scope.spawn(|| {
            let output = client(ports.0, ports.1);
            over.store(true, Ordering::Release);
            output
        });
        let mut office = Office::new(&site(3, 8));
        let mut buffer = [0; 2_000];
        while !over.load(Ordering::Acquire) {
            for (socket, is_request) in [(&requests, true), (&data, false)] {
                if let Ok((len, peer)) = socket.recv_from(&mut buffer) {
                    office.handle(Input::Tftp {
                        peer,
                        station: None,
                        is_request,
                        bytes: &buffer[..len],
                    });
                }
                for (to, packet) in office.tftp.drain(..) {
                    data.send_to(&packet, to).unwrap();
                }
            }
            let Ok((mut stream, peer)) = listener.accept() else {
                continue;
            };
            stream.set_nonblocking(false).unwrap();
            office.open(0, peer.ip());
            while office.answers.is_empty() {
                let len = stream.read(&mut buffer).unwrap();
                let event = HttpEvent::Data(&buffer[..len]);
                office.handle(Input::Http { connection: 0, event });
            }
            let (_, answer) = office.answers.pop_front().unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
        running.join().unwrap()
    })
}

fn curl(arguments: &[&str]) -> Output {
    let mut command = Command::new("curl");
    command.args([
        "--silent",
        "--show-error",
        "--fail",
        "--max-time",
        "20",
        "--noproxy",
        "*",
    ]);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("curl (apt-get install curl)")
}

/// What every client has to get.
fn expected() -> String {
    let mut office = Office::new(&site(3, 8));
    office.get([127, 0, 0, 1].into(), "/KX-HDV230N.cfg")
}

#[test]
fn curl_over_http() {
    let output = beside(|http, _| curl(&[&format!("http://127.0.0.1:{http}/KX-HDV230N.cfg")]));
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected(), "{output:?}");
    let output = beside(|http, _| curl(&["--head", &format!("http://127.0.0.1:{http}/cfg.xml")]));
    let head = String::from_utf8_lossy(&output.stdout);
    assert!(
        head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("\r\nContent-Length: 4"),
        "{head}"
    );
    let output = beside(|http, _| curl(&[&format!("http://127.0.0.1:{http}/cfg000b82123456")]));
    assert!(!output.status.success() && String::from_utf8_lossy(&output.stderr).contains("404"));
}

#[test]
fn curl_over_tftp() {
    for options in [
        &["--tftp-no-options"][..],
        &["--tftp-blksize", "1428"],
        &["--tftp-blksize", "100"],
    ] {
        let output = beside(|_, tftp| {
            let url = format!("tftp://127.0.0.1:{tftp}/KX-HDV230N.cfg");
            curl(&[options, &[url.as_str()]].concat())
        });
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected(),
            "{options:?} {output:?}"
        );
    }
    let output = beside(|_, tftp| curl(&[&format!("tftp://127.0.0.1:{tftp}/none.cfg")]));
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn busybox_over_tftp() {
    for options in [&[][..], &["-b", "1468"]] {
        let output = beside(|_, tftp| {
            let mut command = Command::new("busybox");
            command.arg("tftp").args(options);
            command.args([
                "-g",
                "-r",
                "KX-HDV230N.cfg",
                "-l",
                "-",
                "127.0.0.1",
                &tftp.to_string(),
            ]);
            command
                .stdin(Stdio::null())
                .output()
                .expect("busybox (apt-get install busybox)")
        });
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected(),
            "{options:?} {output:?}"
        );
    }
}
