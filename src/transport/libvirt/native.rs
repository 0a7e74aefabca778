//! The only unsafe code of vakt: what libvirt's safe wrapper lacks.
//!
//! Three things, each in a function of its own with what makes it sound: the statistics of all domains in one call
//! (the wrapper gives undecoded pointers and never frees them), the job of a domain with libvirt's own keys, and
//! events (the wrapper has none). Everything else goes through the wrapper.

use super::Fault;
use crate::wire::libvirt::{
    ANSWERED,
    answer::{DomainRecord, DomainStatistics, PoolRecord},
    operation::{Migration, Operation},
};
use serde_json::{Map, Value};
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    io,
    mem::transmute,
    ptr,
    sync::{Arc, OnceLock},
    thread,
};
use tokio::sync::Notify;
pub(super) use virt::domain::{Domain, MigrateParameters};
use virt::{
    connect::Connect,
    error::{Error, ErrorNumber},
    event,
    storage_pool::StoragePool,
};
use virt_sys as sys;

/// What is read of each domain.
const WANTED: u32 = sys::VIR_DOMAIN_STATS_STATE
    | sys::VIR_DOMAIN_STATS_CPU_TOTAL
    | sys::VIR_DOMAIN_STATS_BALLOON
    | sys::VIR_DOMAIN_STATS_VCPU
    | sys::VIR_DOMAIN_STATS_INTERFACE
    | sys::VIR_DOMAIN_STATS_BLOCK;
/// A domain that is busy with something else must not hold up the others.
const DO_NOT_WAIT: u32 = sys::VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT;

/// Storage pools that are read, a call each.
const POOLS_MAX: usize = 64;
/// Fields of one record that are kept; a domain with a hundred disks has 2,000.
const FIELDS_MAX: usize = 20_000;

/// Starts the thread on which libvirt tells its events, once. It lives as long as the program.
pub(super) fn start_events() -> io::Result<()> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| {
        // libvirt prints errors to standard error, which is the terminal that the console draws on.
        virt::error::clear_error_callback();
        event::event_register_default_impl().map_err(|error| error.message().to_owned())?;
        let run = || while event::event_run_default_impl().is_ok() {};
        thread::Builder::new().name("libvirt events".into()).spawn(run).map_err(|error| error.to_string())?;
        Ok(())
    });
    started.clone().map_err(io::Error::other)
}

/// A connection of libvirt's client library, which only reads.
pub(super) struct Connection {
    connect: Connect,
    /// Each holds the connection: without their end its memory and its descriptors would stay when it goes.
    registrations: Vec<c_int>,
}

/// What a host has to give.
pub(super) struct Host {
    /// Packed version.
    pub(super) libvirt: Option<u32>,
    /// Packed version.
    pub(super) qemu: Option<u32>,
    pub(super) cpus: u32,
    pub(super) memory_kib: u64,
}

impl Connection {
    pub(super) fn open(address: &str) -> Result<Self, Fault> {
        let connect = Connect::open_read_only(Some(address)).map_err(|error| fault(&error))?;
        Ok(Self { connect, registrations: Vec::new() })
    }

    /// Notifies `changed` of whatever happens to a domain.
    pub(super) fn watch(&mut self, changed: &Arc<Notify>) {
        let typed: [(u32, sys::virConnectDomainEventGenericCallback); 3] = generic_callbacks();
        for (event, callback) in typed {
            self.registrations.extend(register(&self.connect, event, callback, Arc::clone(changed)));
        }
    }

    /// Capacity and versions.
    pub(super) fn host(&self) -> Result<Host, Fault> {
        let info = self.connect.node_info().map_err(|error| fault(&error))?;
        Ok(Host {
            libvirt: self.connect.lib_version().ok(),
            qemu: self.connect.hyp_version().ok(),
            cpus: info.cpus,
            memory_kib: info.memory,
        })
    }

    /// All domains, active and inactive.
    pub(super) fn domains(&self) -> Result<Vec<Domain>, Fault> {
        self.connect.list_all_domains(0).map_err(|error| fault(&error))
    }

    /// How a domain is defined, without its secrets.
    #[expect(clippy::unused_self, reason = "a domain is used only while its connection lives")]
    pub(super) fn definition(&self, domain: &Domain) -> Result<DomainRecord, Fault> {
        let xml = domain.xml_desc(0).map_err(|error| fault(&error))?;
        Ok(DomainRecord {
            name: name(domain).into(),
            uuid: domain.uuid_string().ok().into(),
            autostart: domain.autostart().ok().into(),
            persistent: domain.is_persistent().ok().into(),
            snapshots: domain.num_snapshots(0).ok().into(),
            xml,
        })
    }

    /// Storage pools; `None` where this libvirt has none to tell of.
    pub(super) fn pools(&self) -> Option<Vec<PoolRecord>> {
        let pools = self.connect.list_all_storage_pools(0).ok()?;
        let record =
            |pool: &StoragePool| Some(PoolRecord { active: pool.is_active().ok().into(), xml: pool.xml_desc(0).ok()? });
        Some(pools.iter().take(POOLS_MAX).filter_map(record).collect())
    }

    /// State and counters of all domains in one call, and the job of each that answered.
    #[expect(unsafe_code, reason = "the wrapper returns undecoded pointers and never frees them")]
    pub(super) fn statistics(&self) -> Result<Vec<DomainStatistics>, Fault> {
        let mut list: *mut sys::virDomainStatsRecordPtr = ptr::null_mut();
        // SAFETY: the connection is open while `self` lives; libvirt writes one pointer into `list`, or leaves it.
        let count =
            unsafe { sys::virConnectGetAllDomainStats(self.connect.as_ptr(), WANTED, &raw mut list, DO_NOT_WAIT) };
        let Ok(count) = usize::try_from(count) else { return Err(fault(&Error::last_error())) };
        let list = Records(list);
        let mut domains = Vec::with_capacity(count);
        for index in 0..count {
            // SAFETY: libvirt gave an array of `count` valid pointers, which `list` keeps until the end of this scope.
            let record = unsafe { &**list.0.add(index) };
            // SAFETY: a record has `nparams` parameters at `params`, and the domain they belong to.
            domains.push(unsafe {
                let stats = fields(record.params, record.nparams);
                let job = if answers(&stats) { job(record.dom) } else { Map::new() };
                DomainStatistics { name: c_text(sys::virDomainGetName(record.dom)), uuid: uuid(record.dom), stats, job }
            });
        }
        Ok(domains)
    }
}

/// A connection of libvirt's client library on which something may be changed.
pub(super) struct WritingConnection(Connect);

impl WritingConnection {
    pub(super) fn open(address: &str) -> Result<Self, Fault> {
        Connect::open(Some(address)).map(Self).map_err(|error| fault(&error))
    }

    /// The domain of that name.
    pub(super) fn domain(&self, name: &str) -> Result<Domain, Fault> {
        self.0.lookup_domain_by_name(name).map_err(|error| fault(&error))
    }
}

/// A domain's identity.
pub(super) fn uuid_of(domain: &Domain) -> Option<String> {
    domain.uuid_string().ok()
}

/// Carries an operation out. What libvirt answers is an answer, whatever its kind of error: only a conversation that
/// ended leaves open what became of it.
pub(super) fn operate(domain: &Domain, operation: &Operation) -> Result<(), Fault> {
    let done = match operation {
        Operation::Suspend => domain.suspend(),
        Operation::Resume => domain.resume(),
        Operation::Start => domain.create(),
        Operation::Shutdown => domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN),
        Operation::Reset => domain.reset(),
        Operation::Migrate(migration) => migrate(domain, migration),
        Operation::AbortJob => return abort_job(domain),
    };
    done.map_err(|error| fault(&error))
}

/// Moves a domain; returns when it has arrived, or not.
fn migrate(domain: &Domain, migration: &Migration) -> Result<(), Error> {
    domain.migrate_set_max_downtime(migration.downtime_ms_max, 0)?;
    // The source's libvirtd does it by itself: it goes on when this conversation ends.
    let mut flags = sys::VIR_MIGRATE_LIVE
        | sys::VIR_MIGRATE_PEER2PEER
        | sys::VIR_MIGRATE_PERSIST_DEST
        | sys::VIR_MIGRATE_UNDEFINE_SOURCE
        | sys::VIR_MIGRATE_CHANGE_PROTECTION
        | sys::VIR_MIGRATE_ABORT_ON_ERROR;
    if !migration.copied_disks.is_empty() {
        flags |= sys::VIR_MIGRATE_NON_SHARED_DISK;
    }
    let parameters = MigrateParameters {
        uri: Some(migration.data.clone()),
        migrate_disks: migration.copied_disks.clone(),
        ..MigrateParameters::default()
    };
    domain.migrate_to_uri3(Some(&migration.destination), parameters, flags)
}

/// Gives up what goes on with a domain.
#[expect(unsafe_code, reason = "the wrapper lacks this call")]
fn abort_job(domain: &Domain) -> Result<(), Fault> {
    // SAFETY: the domain is valid while `domain` lives.
    match unsafe { sys::virDomainAbortJob(domain.as_ptr()) } {
        0 => Ok(()),
        _ => Err(fault(&Error::last_error())),
    }
}

/// Whether bytes of a domain's migration are on the way: by then the destination has agreed to everything.
#[expect(unsafe_code, reason = "the job is read with libvirt's own keys")]
pub(super) fn is_under_way(domain: &Domain) -> bool {
    // SAFETY: the domain is valid while `domain` lives.
    let job = unsafe { job(domain.as_ptr()) };
    job.get("data_processed").and_then(Value::as_u64).is_some_and(|bytes| bytes > 0)
}

/// A domain's name; empty where libvirt does not tell it.
pub(super) fn name(domain: &Domain) -> String {
    domain.name().unwrap_or_default()
}

/// Whether a domain is active and its QEMU took part in the statistics: one that is busy would hold up a question of
/// its own.
fn answers(stats: &Map<String, Value>) -> bool {
    let is_active = matches!(stats.get("state.state").and_then(Value::as_i64), Some(1 | 2 | 3 | 4 | 7));
    is_active && ANSWERED.iter().any(|key| stats.contains_key(*key))
}

/// The list that libvirt gave, freed at the end.
struct Records(*mut sys::virDomainStatsRecordPtr);

impl Drop for Records {
    #[expect(unsafe_code, reason = "libvirt's list is freed by libvirt")]
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: made by virConnectGetAllDomainStats, and freed once.
            unsafe { sys::virDomainStatsRecordListFree(self.0) };
        }
    }
}

/// The job of a domain; empty when there is none.
///
/// # Safety
/// `domain` is a valid domain.
#[expect(unsafe_code, reason = "the wrapper has no job statistics with libvirt's own keys")]
unsafe fn job(domain: sys::virDomainPtr) -> Map<String, Value> {
    let (mut kind, mut count, mut list) = (0, 0, ptr::null_mut());
    // SAFETY: libvirt writes into the three places, or leaves them.
    let result = unsafe { sys::virDomainGetJobStats(domain, &raw mut kind, &raw mut list, &raw mut count, 0) };
    if result < 0 || list.is_null() {
        return Map::new();
    }
    // SAFETY: `list` has `count` parameters; it is freed once, after they are copied.
    unsafe {
        let found = if kind == 0 { Map::new() } else { fields(list, count) };
        sys::virTypedParamsFree(list, count);
        found
    }
}

/// Copies parameters.
///
/// # Safety
/// `list` has `count` valid parameters.
#[expect(unsafe_code, reason = "libvirt's parameters are a tagged C union")]
unsafe fn fields(list: sys::virTypedParameterPtr, count: c_int) -> Map<String, Value> {
    let count = usize::try_from(count).unwrap_or(0).min(FIELDS_MAX);
    let mut fields = Map::new();
    for index in 0..count {
        // SAFETY: below `count`.
        let parameter = unsafe { &*list.add(index) };
        // SAFETY: libvirt ends the name with NUL within the field.
        let name = unsafe { CStr::from_ptr(parameter.field.as_ptr()) }.to_string_lossy().into_owned();
        // SAFETY: the tag says which member of the union was written.
        let value = unsafe {
            match u32::try_from(parameter.type_).unwrap_or(0) {
                sys::VIR_TYPED_PARAM_INT => Value::from(parameter.value.i),
                sys::VIR_TYPED_PARAM_UINT => Value::from(parameter.value.ui),
                sys::VIR_TYPED_PARAM_LLONG => Value::from(parameter.value.l),
                sys::VIR_TYPED_PARAM_ULLONG => Value::from(parameter.value.ul),
                sys::VIR_TYPED_PARAM_DOUBLE => Value::from(parameter.value.d),
                sys::VIR_TYPED_PARAM_BOOLEAN => Value::from(parameter.value.b != 0),
                sys::VIR_TYPED_PARAM_STRING => c_text(parameter.value.s),
                _ => Value::Null,
            }
        };
        fields.insert(name, value);
    }
    fields
}

/// Copies a C text.
///
/// # Safety
/// `text` is null or ends with NUL.
#[expect(unsafe_code, reason = "a text of C")]
unsafe fn c_text(text: *const c_char) -> Value {
    if text.is_null() {
        return Value::Null;
    }
    // SAFETY: not null, and it ends with NUL.
    Value::from(unsafe { CStr::from_ptr(text) }.to_string_lossy())
}

/// The identity of a domain.
///
/// # Safety
/// `domain` is a valid domain.
#[expect(unsafe_code, reason = "the domain belongs to a record, not to the wrapper")]
unsafe fn uuid(domain: sys::virDomainPtr) -> Value {
    let mut text: [c_char; sys::VIR_UUID_STRING_BUFLEN as usize] = [0; sys::VIR_UUID_STRING_BUFLEN as usize];
    // SAFETY: the buffer has the length that libvirt asks for.
    unsafe {
        match sys::virDomainGetUUIDString(domain, text.as_mut_ptr()) {
            0 => c_text(text.as_ptr()),
            _ => Value::Null,
        }
    }
}

/// What callbacks get: the notification, kept alive by libvirt until it drops the callback.
type Changed = Arc<Notify>;

#[expect(unsafe_code, reason = "called by libvirt with the pointer of `register`")]
unsafe extern "C" fn lifecycle(
    _: sys::virConnectPtr,
    _: sys::virDomainPtr,
    _: c_int,
    _: c_int,
    changed: *mut c_void,
) -> c_int {
    // SAFETY: libvirt calls back with the pointer that was registered.
    unsafe { notify(changed) };
    0
}

#[expect(unsafe_code, reason = "called by libvirt with the pointer of `register`")]
unsafe extern "C" fn io_error(
    _: sys::virConnectPtr,
    _: sys::virDomainPtr,
    _: *const c_char,
    _: *const c_char,
    _: c_int,
    changed: *mut c_void,
) {
    // SAFETY: libvirt calls back with the pointer that was registered.
    unsafe { notify(changed) };
}

#[expect(unsafe_code, reason = "called by libvirt with the pointer of `register`")]
unsafe extern "C" fn job_completed(
    _: sys::virConnectPtr,
    _: sys::virDomainPtr,
    _: sys::virTypedParameterPtr,
    _: c_int,
    changed: *mut c_void,
) {
    // SAFETY: libvirt calls back with the pointer that was registered.
    unsafe { notify(changed) };
}

/// # Safety
/// `changed` was made by `register` and not yet given to `forget`.
#[expect(unsafe_code, reason = "libvirt hands back the pointer it was given")]
unsafe fn notify(changed: *mut c_void) {
    // SAFETY: made by `register`, and freed by `forget` only when no callback can run any more.
    let changed = unsafe { &*changed.cast::<Changed>() };
    changed.notify_one();
}

#[expect(unsafe_code, reason = "libvirt hands back the pointer it was given")]
unsafe extern "C" fn forget(changed: *mut c_void) {
    // SAFETY: made by `register`; libvirt calls this once, after the last callback.
    drop(unsafe { Box::from_raw(changed.cast::<Changed>()) });
}

/// The callbacks as libvirt's registration wants them: it calls each with the arguments of its event.
#[expect(unsafe_code, reason = "libvirt's own macro VIR_DOMAIN_EVENT_CALLBACK is this cast")]
fn generic_callbacks() -> [(u32, sys::virConnectDomainEventGenericCallback); 3] {
    type Generic = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *mut c_void);
    type Lifecycle = unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, c_int, c_int, *mut c_void) -> c_int;
    type IoError =
        unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, *const c_char, *const c_char, c_int, *mut c_void);
    type Job =
        unsafe extern "C" fn(sys::virConnectPtr, sys::virDomainPtr, sys::virTypedParameterPtr, c_int, *mut c_void);
    // SAFETY: libvirt casts them back to these types before it calls them.
    unsafe {
        [
            (sys::VIR_DOMAIN_EVENT_ID_LIFECYCLE, Some(transmute::<Lifecycle, Generic>(lifecycle))),
            (sys::VIR_DOMAIN_EVENT_ID_IO_ERROR, Some(transmute::<IoError, Generic>(io_error))),
            (sys::VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, Some(transmute::<Job, Generic>(job_completed))),
        ]
    }
}

impl Drop for Connection {
    #[expect(unsafe_code, reason = "the wrapper has no events")]
    fn drop(&mut self) {
        for registration in &self.registrations {
            // SAFETY: the connection is open on this side, and the number is one that it gave.
            unsafe { sys::virConnectDomainEventDeregisterAny(self.connect.as_ptr(), *registration) };
        }
    }
}

/// Registers for an event of all domains; the number by which it ends.
#[expect(unsafe_code, reason = "the wrapper has no events")]
fn register(
    connect: &Connect,
    event: u32,
    callback: sys::virConnectDomainEventGenericCallback,
    changed: Changed,
) -> Option<c_int> {
    let changed = Box::into_raw(Box::new(changed)).cast::<c_void>();
    let event = c_int::try_from(event).unwrap_or(c_int::MAX);
    // SAFETY: the connection is open; `changed` stays valid until `forget`.
    unsafe {
        let null = ptr::null_mut();
        let number =
            sys::virConnectDomainEventRegisterAny(connect.as_ptr(), null, event, callback, changed, Some(forget));
        if number < 0 {
            // Nothing was registered: libvirt does not call `forget`. Changes are seen at the next poll.
            forget(changed);
            return None;
        }
        Some(number)
    }
}

/// Whether the conversation goes on after this error.
fn fault(error: &Error) -> Fault {
    let words = error.message().trim().to_owned();
    let is_lost = |number| error.code().is_known_and(|code: ErrorNumber| code == number);
    let lost = [
        ErrorNumber::InternalError,
        ErrorNumber::SystemError,
        ErrorNumber::Rpc,
        ErrorNumber::NoConnect,
        ErrorNumber::InvalidConn,
    ];
    if lost.into_iter().any(is_lost) { Fault::Lost(words) } else { Fault::Refused(words) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// libvirt's own test driver needs no daemon.
    #[test]
    fn nothing_of_a_connection_is_held_once_it_is_gone() {
        start_events().unwrap();
        let changed = Arc::new(Notify::new());
        let mut connection = Connection::open("test:///default").unwrap_or_else(|fault| panic!("{fault}"));
        connection.watch(&changed);
        assert_eq!(Arc::strong_count(&changed), 4);
        drop(connection);
        // The thread of the events lets go of them.
        let is_free = || Arc::strong_count(&changed) == 1;
        let is_free_soon = (0..1_000).any(|_| {
            thread::park_timeout(Duration::from_millis(10));
            is_free()
        });
        assert!(is_free_soon, "{} are held", Arc::strong_count(&changed));
    }
}
