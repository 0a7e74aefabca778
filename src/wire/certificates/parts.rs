//! The answer of [`super::CertificatesProbe`] as [`CertificatesFacts`].

use crate::{
    model::{
        certificates::{Certificate, CertificatesFacts, Place},
        figure::{Figure, Unknown},
        text::Clean,
        time::Wall,
    },
    wire::{complaints::Complaints, probe::Complaint},
};

/// Certificates kept of one node.
const CERTIFICATES_MAX: usize = 64;
/// Names kept of one certificate.
const NAMES_MAX: usize = 64;
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What the answer says.
pub(super) fn interpret(bytes: &[u8]) -> (CertificatesFacts, Vec<Complaint>) {
    let text = String::from_utf8_lossy(bytes);
    let mut complaints = Complaints::default();
    let mut found: Vec<Certificate> = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("cert:")) {
        if line == "missing openssl" {
            complaints.add("certificates", "the node has no openssl, so that nothing can take them apart");
        } else if let Some(place) = line.strip_prefix("begin ") {
            if found.len() >= CERTIFICATES_MAX {
                complaints.add("certificates", format!("only the first {CERTIFICATES_MAX} are kept"));
                break;
            }
            let place = match place.split_once(' ') {
                Some(("served", address)) => Place::Served(Clean::line(address)),
                Some(("file", path)) => Place::File(Clean::line(path)),
                _ => Place::Unknown,
            };
            found.push(Certificate { place, ends: Figure::Unknown(Unknown::Missing), ..Certificate::default() });
        } else if let Some(certificate) = found.last_mut() {
            take(certificate, line, &mut complaints);
        }
    }
    let is_read = |certificate: &Certificate| certificate.ends.known().is_some();
    let unread = found.iter().filter(|certificate| !is_read(certificate)).map(|certificate| match &certificate.place {
        Place::Served(address) => Clean::line(&format!("{address} serves no certificate that could be read")),
        Place::File(path) => Clean::line(&format!("{path} cannot be read as a certificate by this login")),
        Place::Unknown => Clean::line("a certificate without a place"),
    });
    let unread: Vec<Clean> = unread.collect();
    found.retain(is_read);
    (CertificatesFacts { certificates: found, unread }, complaints.finish())
}

/// `subject=CN=lab.example,O=…`, `issuer=…`, `serial=0A…`, `notAfter=Jan  8 20:49:00 2027 GMT`, `DNS:a, DNS:b`.
fn take(certificate: &mut Certificate, line: &str, complaints: &mut Complaints) {
    let line = line.trim();
    if let Some(subject) = line.strip_prefix("subject=") {
        certificate.name = common_name(subject);
    } else if let Some(issuer) = line.strip_prefix("issuer=") {
        certificate.issuer = common_name(issuer);
    } else if let Some(serial) = line.strip_prefix("serial=") {
        certificate.serial = Clean::line(serial.trim());
    } else if let Some(text) = line.strip_prefix("notAfter=") {
        certificate.ends = Figure::from_option(moment(text), Unknown::Malformed);
        if certificate.ends.why().is_some() {
            complaints.add("certificate", format!("not a moment: {text}"));
        }
    } else if line.starts_with("DNS:") || line.starts_with("IP Address:") {
        let names = line.split(',').filter_map(|part| part.split_once(':')).map(|(_, name)| Clean::line(name.trim()));
        certificate.names.extend(names.take(NAMES_MAX));
        certificate.names.truncate(NAMES_MAX);
    }
}

/// The value of `CN`, in the notation of RFC 2253 and in those of older programs.
fn common_name(subject: &str) -> Clean {
    let mut parts = subject.split([',', '/']).map(str::trim);
    let name = parts.find_map(|part| part.strip_prefix("CN")?.trim_start().strip_prefix('='));
    Clean::line(name.map_or(subject, str::trim).trim())
}

/// `Jan  8 20:49:00 2027 GMT`.
fn moment(text: &str) -> Option<Wall> {
    let words: Vec<&str> = text.split_whitespace().take(6).collect();
    let [month, day, clock, year, "GMT"] = words[..] else { return None };
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let (day, year) = (day.parse::<i64>().ok()?, year.parse::<i64>().ok()?);
    let clock: Option<Vec<i64>> = clock.split(':').map(|part| part.parse::<i64>().ok()).collect();
    let clock = clock?;
    let [hour, minute, second] = clock[..] else { return None };
    let is_sound = (1..=31).contains(&day)
        && (1970..=9999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..61).contains(&second);
    is_sound.then(|| Wall((days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000))
}

/// Days since 1970 of a date in the Gregorian calendar, years counted from March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_openssl_are_understood() {
        assert_eq!(moment("Jan  1 00:00:00 1970 GMT"), Some(Wall(0)));
        assert_eq!(moment("Feb 29 12:00:00 2028 GMT"), Some(Wall(1_835_438_400_000)));
        assert_eq!(moment("Nov 28 21:00:00 2026 GMT"), Some(Wall(1_795_899_600_000)));
        assert_eq!(moment("Dec 31 23:59:59 9999 GMT"), Some(Wall(253_402_300_799_000)));
        for odd in ["", "Foo  1 00:00:00 1970 GMT", "Jan 1 1970 GMT", "Jan  1 25:00:00 1970 GMT", "Jan 1 00:00:00 1970"]
        {
            assert_eq!(moment(odd), None, "{odd}");
        }
    }

    #[test]
    fn names_of_old_and_new_programs_are_understood() {
        assert_eq!(common_name("CN=lab.example,O=Lab").as_str(), "lab.example");
        assert_eq!(common_name(" /C=NO/O=Lab/CN=lab.example").as_str(), "lab.example");
        assert_eq!(common_name("C = NO, CN = lab.example").as_str(), "lab.example");
        assert_eq!(common_name("O=Lab").as_str(), "O=Lab");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let text = "cert:begin served 127.0.0.1:443\ncert:subject=CN=a\ncert:notAfter=Jan  8 20:49:00 2027 GMT\n\
                    cert:    DNS:a, DNS:www.a\ncert:begin file /etc/haproxy/certs/b.pem\n";
        let (facts, complaints) = interpret(text.as_bytes());
        assert_eq!(complaints, []);
        assert_eq!(facts.certificates.len(), 1);
        assert_eq!(facts.certificates[0].names.len(), 2);
        assert_eq!(facts.unread[0].as_str(), "/etc/haproxy/certs/b.pem cannot be read as a certificate by this login");
        assert_eq!(interpret(b"cert:missing openssl\n").1.len(), 1);
    }
}
