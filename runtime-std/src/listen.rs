//! Sockets that listen.

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

/// Listens on `addr` with `shards` sockets, between which the kernel spreads what comes in
/// (`SO_REUSEPORT`, only where there are several). Port 0 takes any free port, the same for all.
///
/// # Errors
/// The address cannot be had; each error says in one line what to do. A port on which somebody
/// else listens is an error even if they too would share it.
pub fn bind(addr: SocketAddr, shards: usize) -> Result<Vec<TcpListener>, BindError> {
    let error = |error: io::Error| BindError { addr, error };
    if shards <= 1 {
        return Ok(vec![listen(open(addr, Sharing::Alone).map_err(error)?).map_err(error)?]);
    }
    // Whoever shares the port is refused one that is not shared, so this finds them.
    drop(open(addr, Sharing::Alone).map_err(error)?);
    let first = listen(open(addr, Sharing::Shards).map_err(error)?).map_err(error)?;
    let shared = first.local_addr().map_err(error)?;
    let mut sockets = vec![first];
    for _ in 1..shards {
        sockets.push(listen(open(shared, Sharing::Shards).map_err(error)?).map_err(error)?);
    }
    Ok(sockets)
}

/// A listening socket that was handed over at the start.
#[derive(Debug)]
pub struct Inherited {
    /// The name given to it (`FileDescriptorName=`), empty where none was.
    pub name: String,
    /// Where it listens.
    pub addr: SocketAddr,
    /// It.
    pub socket: TcpListener,
}

impl Inherited {
    /// `shards` handles of this one socket: unlike sockets of a shared port, they have one queue,
    /// and a connection goes to whoever accepts first.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn into_shards(self, shards: usize) -> io::Result<Vec<TcpListener>> {
        let mut sockets = Vec::with_capacity(shards.max(1));
        for _ in 1..shards {
            sockets.push(self.socket.try_clone()?);
        }
        sockets.push(self.socket);
        Ok(sockets)
    }
}

/// The sockets that a supervisor such as systemd has opened for this process (`LISTEN_FDS`,
/// `LISTEN_PID`, `LISTEN_FDNAMES`); none where there is no such supervisor. Call it before any
/// thread is started: it removes the first two variables, so that no child and no second call
/// takes the sockets again.
///
/// # Errors
/// One of them is not a listening TCP socket, or takes IPv4 on an IPv6 address; in one line that
/// says what to do.
pub fn inherited() -> io::Result<Vec<Inherited>> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut fds = listenfd::ListenFd::from_env();
    let mut sockets = Vec::with_capacity(fds.len());
    for index in 0..fds.len() {
        let name = names.next().unwrap_or_default().to_owned();
        let told = |what: &str| {
            let socket = format!("the socket `{name}` that was handed over");
            io::Error::new(ErrorKind::InvalidInput, format!("{socket} {what}"))
        };
        let not_tcp = "is not one that listens for TCP (ListenStream= with an address and a port)";
        let taken = fds.take_tcp_listener(index).map_err(|_| told(not_tcp))?;
        let Some(socket) = taken else { continue };
        let known = SockRef::from(&socket);
        if !known.is_listener()? {
            return Err(told(not_tcp));
        }
        let addr = socket.local_addr()?;
        // Its IPv4 clients would come with addresses of another form, and our own listener on
        // 0.0.0.0 could not have the port.
        if addr.is_ipv6() && !known.only_v6()? && addr.ip().is_unspecified() {
            return Err(told(
                "takes IPv4 on an IPv6 address: write BindIPv6Only=ipv6-only into its .socket \
                 unit, and a ListenStream=0.0.0.0:… for IPv4",
            ));
        }
        socket.set_nonblocking(true)?;
        // Inherited by what it accepts: we gather our output ourselves.
        known.set_tcp_nodelay(true)?;
        sockets.push(Inherited { name, addr, socket });
    }
    Ok(sockets)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Alone,
    Shards,
}

fn open(addr: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restart need not wait for the last connections to be forgotten.
    socket.set_reuse_address(true)?;
    if sharing == Sharing::Shards {
        socket.set_reuse_port(true)?;
    }
    if addr.is_ipv6() {
        // Each family has a listener of its own, so that `[::]` and `0.0.0.0` go together.
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // Inherited by what it accepts: we gather our output ourselves.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

fn listen(socket: Socket) -> io::Result<TcpListener> {
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connections that the kernel keeps until we accept them; it may keep fewer (`somaxconn`).
const BACKLOG: i32 = 1024;

/// Why an address cannot be listened on, and what to do.
#[derive(Debug)]
pub struct BindError {
    addr: SocketAddr,
    error: io::Error,
}

impl BindError {
    /// The system's own error.
    #[must_use]
    pub const fn error(&self) -> &io::Error {
        &self.error
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addr, error } = self;
        write!(f, "cannot listen on {addr}: ")?;
        match error.kind() {
            ErrorKind::AddrInUse => write!(
                f,
                "port {0} is taken; stop the program that listens there (`ss -ltnp 'sport = {0}'` \
                 names it) or choose another port",
                addr.port()
            ),
            ErrorKind::PermissionDenied => write!(
                f,
                "no permission for port {}; start as root, grant CAP_NET_BIND_SERVICE, or choose \
                 a port from 1024 upwards",
                addr.port()
            ),
            ErrorKind::AddrNotAvailable => write!(
                f,
                "this machine has no address {}; choose one that `ip address` shows",
                addr.ip()
            ),
            _ => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(port: u16) -> SocketAddr {
        SocketAddr::new("127.0.0.1".parse().unwrap(), port)
    }

    #[test]
    fn shards_share_a_port_that_nobody_else_may_have() {
        let sockets = bind(local(0), 3).unwrap();
        let port = sockets[0].local_addr().unwrap().port();
        assert_eq!(sockets.len(), 3);
        assert!(sockets.iter().all(|socket| socket.local_addr().unwrap().port() == port));
        for shards in [1, 2] {
            let error = bind(local(port), shards).unwrap_err();
            assert_eq!(error.error().kind(), ErrorKind::AddrInUse);
        }
        drop(sockets);
        bind(local(port), 2).unwrap();
    }

    #[test]
    fn errors_say_what_to_do() {
        let taken = bind(local(0), 1).unwrap();
        let port = taken[0].local_addr().unwrap().port();
        assert_eq!(
            bind(local(port), 1).unwrap_err().to_string(),
            format!(
                "cannot listen on 127.0.0.1:{port}: port {port} is taken; stop the program that \
                 listens there (`ss -ltnp 'sport = {port}'` names it) or choose another port"
            )
        );
        let error = bind("192.0.2.1:0".parse().unwrap(), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot listen on 192.0.2.1:0: this machine has no address 192.0.2.1; choose one that \
             `ip address` shows"
        );
        let denied = BindError { addr: local(25), error: ErrorKind::PermissionDenied.into() };
        assert!(denied.to_string().contains("CAP_NET_BIND_SERVICE"), "{denied}");
    }

    #[test]
    fn both_families_go_together() {
        let six = bind("[::]:0".parse().unwrap(), 1).unwrap();
        let port = six[0].local_addr().unwrap().port();
        bind(SocketAddr::new("0.0.0.0".parse().unwrap(), port), 1).unwrap();
    }

    #[test]
    fn nothing_is_inherited_without_a_supervisor() {
        assert_eq!(inherited().unwrap().len(), 0);
    }
}
