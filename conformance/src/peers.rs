//! Postfix and Dovecot from Debian's packages, as private instances: their own configuration,
//! sockets, queue and mail in one folder, on free ports of this machine. Nothing of an instance
//! that the system itself may run is read or touched.
//!
//! Postfix takes mail and hands it to Dovecot by LMTP; Dovecot stores it, serves IMAP, and checks
//! passwords for Postfix. Any name at [`DOMAIN`] is taken, as `localserve` does, and goes to the
//! first account.
//!
//! A small shell watches over both. It waits on a pipe whose other end this process holds, and
//! stops them when the pipe closes: also where this process was killed.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use pillarbox::certificates;

/// The domain of both accounts.
pub const DOMAIN: &str = "peers.example";
/// The accounts' names, without the domain; each may also log in with it.
pub const ACCOUNTS: [&str; 2] = ["user", "friend"];
/// The password of both.
pub const PASSWORD: &str = "pillarbox";

/// Both servers, running. They are stopped when this is dropped.
#[derive(Debug)]
pub struct Peers {
    addresses: Addresses,
    watcher: Child,
    ca: PathBuf,
}

/// Where they listen, all on 127.0.0.1.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// Postfix, as other servers see it: no login; STARTTLS is offered.
    pub smtp: SocketAddr,
    /// Postfix for its own people: they must log in; STARTTLS is offered.
    pub submission: SocketAddr,
    /// The same under TLS from the first byte.
    pub submissions: SocketAddr,
    /// Dovecot; STARTTLS is offered, and a login in clear is taken.
    pub imap: SocketAddr,
    /// Dovecot under TLS from the first byte.
    pub imaps: SocketAddr,
}

impl Peers {
    /// Writes the configuration into `dir` (which others must be able to enter, since both servers
    /// change their user: it is made readable here) and starts both. Once this returns, all ports
    /// answer.
    ///
    /// # Errors
    /// What is missing, or what the servers said. They need root and the packages
    /// [`PACKAGES`].
    pub fn start(dir: &Path) -> Result<Self, String> {
        let why = |error: std::io::Error| format!("{}: {error}", dir.display());
        for program in PROGRAMS {
            if !Path::new(program).exists() {
                return Err(format!("{program} is missing: apt-get install {PACKAGES}"));
            }
        }
        for folder in ["", "tls", "postfix", "queue", "data", "dovecot", "mail"] {
            let folder = dir.join(folder);
            fs::create_dir_all(&folder).map_err(why)?;
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(why)?;
        }
        certificates::ensure(&dir.join("tls")).map_err(why)?;
        let addresses = Addresses::free().map_err(why)?;
        write_configuration(dir, &addresses).map_err(why)?;
        let mut watcher = Command::new("/bin/sh")
            .args(["-c", WATCHER, "peers"])
            .arg(dir)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("/bin/sh: {error}"))?;
        let mut said = String::new();
        if let Some(stdout) = watcher.stdout.take() {
            let mut lines = BufReader::new(stdout).lines();
            while let Some(Ok(line)) = lines.next() {
                if line == READY {
                    return Ok(Self { addresses, watcher, ca: dir.join("tls/ca.pem") });
                }
                said.push_str(&line);
                said.push('\n');
            }
        }
        let _ended = watcher.wait();
        Err(format!("Postfix or Dovecot did not start (they need root):\n{said}"))
    }

    /// Where they listen.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// The certificate that vouches for theirs, which is for `localhost`.
    #[must_use]
    pub fn ca(&self) -> &Path {
        &self.ca
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // The end of its input tells the watcher to stop both.
        drop(self.watcher.stdin.take());
        let _ended = self.watcher.wait();
    }
}

impl Addresses {
    /// Ports that nobody has now. All are held until the last is found, so that they differ.
    fn free() -> std::io::Result<Self> {
        let mut held = Vec::new();
        let mut free = || {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            let address = listener.local_addr();
            held.push(listener);
            address
        };
        Ok(Self {
            smtp: free()?,
            submission: free()?,
            submissions: free()?,
            imap: free()?,
            imaps: free()?,
        })
    }
}

fn write_configuration(dir: &Path, addresses: &Addresses) -> std::io::Result<()> {
    // The accounts are themselves, and every other name is the first of them.
    let mut aliases: String =
        ACCOUNTS.iter().map(|name| format!("{{ {name}@{DOMAIN} = {name}@{DOMAIN} }}, ")).collect();
    for other in ["postmaster", &format!("@{DOMAIN}")] {
        let first = ACCOUNTS.first().copied().unwrap_or_default();
        aliases.push_str(&format!("{{ {other} = {first}@{DOMAIN} }}, "));
    }
    let fill = |text: &str| {
        text.replace("DIR", &dir.display().to_string())
            .replace("DOMAIN", DOMAIN)
            .replace("SUBMISSIONS", &addresses.submissions.to_string())
            .replace("SUBMISSION", &addresses.submission.to_string())
            .replace("SMTP", &addresses.smtp.to_string())
            .replace("IMAPS_PORT", &addresses.imaps.port().to_string())
            .replace("IMAP_PORT", &addresses.imap.port().to_string())
            .replace("ALIASES", &aliases)
    };
    fs::write(dir.join("postfix/main.cf"), fill(MAIN_CF))?;
    fs::write(dir.join("postfix/master.cf"), fill(MASTER_CF))?;
    fs::write(dir.join("dovecot.conf"), fill(DOVECOT_CONF))?;
    let users: String =
        ACCOUNTS.iter().map(|name| format!("{name}:{{PLAIN}}{PASSWORD}::::::\n")).collect();
    fs::write(dir.join("users"), users)
}

/// What Debian's packages are called.
pub const PACKAGES: &str = "postfix dovecot-imapd dovecot-lmtpd";

const PROGRAMS: [&str; 3] = ["/usr/sbin/postfix", "/usr/sbin/dovecot", "/usr/lib/dovecot/lmtp"];

const READY: &str = "both are ready";

/// `$1` is the folder. Postfix's `abort` ends all of it at once and waits for nobody.
const WATCHER: &str = r#"
exec 2>&1
chown -R mail:mail "$1/mail" && chown postfix "$1/data" || exit 1
dovecot -c "$1/dovecot.conf" || exit 1
if postfix -c "$1/postfix" start >"$1/postfix.start" 2>&1; then
    echo "both are ready"
    exec >/dev/null 2>&1
    read _until_the_end
else
    cat "$1/postfix.start"
fi
postfix -c "$1/postfix" abort
dovecot -c "$1/dovecot.conf" stop
"#;

/// Without the limits that are meant for strangers on the Internet, and without waiting.
const MAIN_CF: &str = "\
compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
maillog_file = DIR/postfix.log
maillog_file_prefixes = DIR
myhostname = mx.DOMAIN
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
local_header_rewrite_clients =
virtual_mailbox_domains = DOMAIN
virtual_mailbox_maps = static:ok
virtual_alias_maps = inline:{ALIASES}
virtual_transport = lmtp:unix:DIR/lmtp
lmtp_destination_concurrency_limit = 20
recipient_delimiter = +
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_sasl_type = dovecot
smtpd_sasl_path = DIR/auth
smtpd_tls_security_level = may
smtpd_tls_cert_file = DIR/tls/cert.pem
smtpd_tls_key_file = DIR/tls/key.pem
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 100
smtpd_hard_error_limit = 100
smtpd_client_connection_count_limit = 0
smtpd_peername_lookup = no
default_process_limit = 100
";

const MASTER_CF: &str = "\
SMTP inet n - n - - smtpd
SUBMISSION inet n - n - - smtpd
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_client_restrictions=permit_sasl_authenticated,reject
SUBMISSIONS inet n - n - - smtpd
    -o smtpd_tls_wrappermode=yes
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_client_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

const DOVECOT_CONF: &str = "\
base_dir = DIR/dovecot
state_dir = DIR/dovecot
log_path = DIR/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <DIR/tls/cert.pem
ssl_key = <DIR/tls/key.pem
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Ln
auth_failure_delay = 0
first_valid_uid = 1
first_valid_gid = 1
mail_uid = mail
mail_gid = mail
mail_location = maildir:DIR/mail/%n
mail_max_userip_connections = 0
default_process_limit = 1100
default_client_limit = 4400
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%n DIR/users
}
userdb {
  driver = static
  args = uid=mail gid=mail home=DIR/mail/%n allow_all_users=yes
}
namespace inbox {
  inbox = yes
  separator = /
  mailbox Archive {
    auto = subscribe
    special_use = \\Archive
  }
  mailbox Drafts {
    auto = subscribe
    special_use = \\Drafts
  }
  mailbox Junk {
    auto = subscribe
    special_use = \\Junk
  }
  mailbox Sent {
    auto = subscribe
    special_use = \\Sent
  }
  mailbox Trash {
    auto = subscribe
    special_use = \\Trash
  }
}
service imap-login {
  inet_listener imap {
    port = IMAP_PORT
  }
  inet_listener imaps {
    port = IMAPS_PORT
    ssl = yes
  }
}
# Clients that have failed would be answered late.
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
service lmtp {
  unix_listener DIR/lmtp {
    mode = 0666
  }
}
service auth {
  unix_listener DIR/auth {
    mode = 0666
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
";
