//! BIP353: a name in the DNS, with the DNSSEC proof from its record up to the root. The resolver that is asked need not
//! be trusted: it can withhold an answer, and not forge one.
use std::{net::SocketAddr, time::Duration};

use autopilot_core::ports::payee::{PayeeError, PayeeErrorCode as Code};
use dnssec_prover::{
    query::{ProofBuildingError, build_txt_proof_async},
    rr::{Name as DnsName, RR},
    ser::parse_rr_stream,
    validation::verify_rr_stream,
};

use crate::{failure::fail, parse::Name};

const PREFIX: &str = "bitcoin:";

/// What the DNS says, proven.
pub(crate) struct Found {
    pub(crate) uri: String,
    pub(crate) proof: Vec<u8>,
}

/// Asks for a name and checks the answer as of `now_s`.
pub(crate) async fn ask(
    dns: SocketAddr,
    name: &Name,
    now_s: u64,
    time_limit: Duration,
) -> Result<Found, PayeeError> {
    let dns_name = DnsName::try_from(name.dns_name())
        .map_err(|()| fail(Code::NameNotFound, "the DNS can't hold such a name"))?;
    let asked = tokio::time::timeout(time_limit, build_txt_proof_async(dns, &dns_name)).await;
    let (proof, _) = match asked {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(why(dns, &error)),
        Err(_) => {
            let seconds = time_limit.as_secs();
            return Err(fail(
                Code::Unreachable,
                format!("the DNS resolver {dns} gave no proof within {seconds} seconds"),
            ));
        }
    };
    let uri = proven(&proof, &dns_name, now_s)?;
    Ok(Found { uri, proof })
}

fn why(dns: SocketAddr, error: &std::io::Error) -> PayeeError {
    let cause = error
        .get_ref()
        .and_then(|cause| cause.downcast_ref::<ProofBuildingError>());
    match cause {
        Some(ProofBuildingError::NoSuchName | ProofBuildingError::MissingRecord) => {
            fail(Code::NameNotFound, "the DNS has no payment record of that name")
        }
        Some(ProofBuildingError::Unauthenticated) => fail(
            Code::NameNotFound,
            format!("the DNS resolver {dns} has no signed record of that name"),
        ),
        _ => fail(
            Code::Unreachable,
            format!("the DNS resolver {dns} gives no DNSSEC proof: {error}"),
        ),
    }
}

/// The one payment record of a name in a proof that holds now.
fn proven(proof: &[u8], name: &DnsName, now_s: u64) -> Result<String, PayeeError> {
    let unproven = |why: &str| {
        fail(
            Code::NameUnproven,
            format!("the answer of the DNS about this name does not hold: {why}"),
        )
    };
    let records = parse_rr_stream(proof).map_err(|()| unproven("it can't be read"))?;
    let verified = verify_rr_stream(&records).map_err(|_| unproven("a signature is wrong or missing"))?;
    if !(verified.valid_from..=verified.expires).contains(&now_s) {
        return Err(unproven(
            "its signatures are of another time; is this machine's clock right?",
        ));
    }
    let mut found = Vec::new();
    for record in verified.resolve_name(name) {
        let RR::Txt(text) = record else { continue };
        let text = text.data.as_vec();
        let begins = text
            .get(..PREFIX.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(PREFIX.as_bytes()));
        if begins {
            found.push(String::from_utf8(text).map_err(|_| unproven("the record is no text"))?);
        }
    }
    match (found.pop(), found.pop()) {
        (Some(uri), None) => Ok(uri),
        (Some(_), Some(_)) => Err(unproven("it has more than one payment record")),
        (None, _) => Err(fail(
            Code::NameNotFound,
            "the DNS has no payment record of that name",
        )),
    }
}
