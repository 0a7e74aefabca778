/*
 * LAB CONSTRUCT. All nodes of the lab share one kernel, whose /proc/stat, meminfo, diskstats and so
 * on describe the whole machine. This daemon writes, four times a second and per node, files of the
 * same form that are derived from that node's own control group; the node mounts them over the
 * originals. The sources are real accounting, what is derived is said at each function.
 *
 *   figures CONFIG_DIR OUTPUT_DIR
 *
 * CONFIG_DIR holds one file per node, "key value" lines:
 *   unified DIR, memory DIR, blkio DIR, cpuacct DIR, pids DIR   control group directories
 *   disk MAJ:MIN      the machine's disk below the nodes' roots
 *   own NAME          a block device that belongs to this node alone (repeatable)
 * OUTPUT_DIR/NODE/{stat,loadavg,meminfo,uptime,diskstats,vmstat,pressure/...} are written in place:
 * the same inode, never shorter than before (padded with blanks), since it is mounted elsewhere.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_NODES 32
#define MAX_CPUS 64
#define MAX_OWN 4
#define TICKS_PER_SECOND 4
#define HZ 100.0
#define TEXT 16384

enum out { STAT, LOADAVG, MEMINFO, UPTIME, DISKSTATS, VMSTAT, P_CPU, P_IO, P_MEMORY, OUTS };
static const char *const out_name[OUTS] = {
    "stat",   "loadavg",      "meminfo",     "uptime",         "diskstats",
    "vmstat", "pressure/cpu", "pressure/io", "pressure/memory"};

struct source { int fd; char path[256]; };

struct node {
    char name[64];
    int seen;
    struct source cpu_stat, p_cpu, p_io, p_memory, mem_usage, mem_limit, mem_stat, mem_oom;
    struct source percpu, io_bytes, io_ops, pids;
    int memory_v1, io_v1;
    char disk[32], own[MAX_OWN][32];
    int own_count;
    int out_fd[OUTS];
    size_t out_len[OUTS];
    double born, last;
    /* accumulated jiffies */
    double user, sys, idle, iowait, steal;
    double cpu_busy[MAX_CPUS], cpu_iowait[MAX_CPUS], cpu_steal[MAX_CPUS], cpu_idle[MAX_CPUS];
    double last_user, last_sys, last_io, last_pcpu, last_percpu[MAX_CPUS];
    double load[3];
    int blocked, running;
    /* the node's share of the common disk */
    double rio, wio, rsec, wsec, rms, wms, busy_ms, own_busy_ms;
    double last_rio, last_wio;
};

struct machine {
    char stat[65536], diskstats[TEXT], vmstat[TEXT];
    int cpus;
    double steal, last_steal;
    double disk[11], last_disk[11];
};

static struct node nodes[MAX_NODES];
static int node_count;
static struct machine machine;
static const char *config_dir, *output_dir;
static volatile sig_atomic_t stop;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void on_signal(int sig) { (void)sig; stop = 1; }

/* Kernel files are made anew by a read at offset 0, so descriptors stay open between ticks. */
static int slurp(struct source *s, char *text, size_t size)
{
    ssize_t n;
    if (!s->path[0])
        return 0;
    if (s->fd < 0 && (s->fd = open(s->path, O_RDONLY | O_CLOEXEC)) < 0)
        return 0;
    n = pread(s->fd, text, size - 1, 0);
    if (n < 0) {
        close(s->fd);
        s->fd = -1;
        return 0;
    }
    text[n] = 0;
    return (int)n;
}

static int slurp_path(const char *path, char *text, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t have = 0;
    ssize_t n;
    if (fd < 0)
        return 0;
    while (have < size - 1 && (n = read(fd, text + have, size - 1 - have)) > 0)
        have += (size_t)n;
    close(fd);
    text[have] = 0;
    return (int)have;
}

/* The number after a key at the start of a line; 0 where there is none. */
static double value_of(const char *text, const char *key)
{
    size_t len = strlen(key);
    const char *p = text;
    while (p && *p) {
        if (!strncmp(p, key, len) && (p[len] == ' ' || p[len] == '\t'))
            return strtod(p + len, NULL);
        p = strchr(p, '\n');
        if (p)
            p++;
    }
    return 0;
}

static double pressure_total(const char *text, const char *line)
{
    const char *p = strstr(text, line);
    p = p ? strstr(p, "total=") : NULL;
    return p ? strtod(p + 6, NULL) : 0;
}

static void source(struct source *s, const char *dir, const char *file)
{
    s->fd = -1;
    s->path[0] = 0;
    if (dir[0])
        snprintf(s->path, sizeof s->path, "%.200s/%.50s", dir, file);
}

static void put(struct node *n, enum out which, const char *text, size_t len)
{
    static char padded[TEXT + 1];
    size_t old = n->out_len[which];
    if (n->out_fd[which] < 0 || !len || len > TEXT)
        return;
    if (len < old && old <= TEXT) {
        memcpy(padded, text, len - 1);
        memset(padded + len - 1, ' ', old - len);
        padded[old - 1] = '\n';
        text = padded;
        len = old;
    }
    if (pwrite(n->out_fd[which], text, len, 0) == (ssize_t)len)
        n->out_len[which] = len;
}

struct text { char s[TEXT]; size_t len; };

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    int n;
    va_start(args, format);
    n = vsnprintf(t->s + t->len, sizeof t->s - t->len, format, args);
    va_end(args);
    if (n > 0 && t->len + (size_t)n < sizeof t->s)
        t->len += (size_t)n;
}

/* ---- configuration ---- */

static void forget(struct node *n)
{
    struct source *all[] = {&n->cpu_stat, &n->p_cpu,   &n->p_io,   &n->p_memory, &n->mem_usage,
                            &n->mem_limit, &n->mem_stat, &n->mem_oom, &n->percpu, &n->io_bytes,
                            &n->io_ops,   &n->pids};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]->fd >= 0)
            close(all[i]->fd);
    for (int i = 0; i < OUTS; i++)
        if (n->out_fd[i] >= 0)
            close(n->out_fd[i]);
}

static void open_outputs(struct node *n)
{
    char path[512];
    struct stat st;
    for (int i = 0; i < OUTS; i++) {
        snprintf(path, sizeof path, "%s/%s/%s", output_dir, n->name, out_name[i]);
        n->out_fd[i] = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
        /* After a restart of this daemon the nodes still have the old file mounted. */
        n->out_len[i] = n->out_fd[i] >= 0 && fstat(n->out_fd[i], &st) == 0 ? (size_t)st.st_size : 0;
    }
}

static void load_node(const char *name)
{
    struct node *n = &nodes[node_count];
    char path[512], text[4096], unified[256] = "", memory[256] = "", blkio[256] = "";
    char cpuacct[256] = "", pids[256] = "", *line, *save = NULL;
    snprintf(path, sizeof path, "%s/%s", config_dir, name);
    if (node_count == MAX_NODES || !slurp_path(path, text, sizeof text))
        return;
    memset(n, 0, sizeof *n);
    snprintf(n->name, sizeof n->name, "%.63s", name);
    for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        sscanf(line, "unified %255s", unified);
        sscanf(line, "memory %255s", memory);
        sscanf(line, "blkio %255s", blkio);
        sscanf(line, "cpuacct %255s", cpuacct);
        sscanf(line, "pids %255s", pids);
        sscanf(line, "disk %31s", n->disk);
        if (n->own_count < MAX_OWN && sscanf(line, "own %31s", n->own[n->own_count]) == 1)
            n->own_count++;
    }
    n->memory_v1 = memory[0] != 0;
    n->io_v1 = blkio[0] != 0;
    source(&n->cpu_stat, unified, "cpu.stat");
    source(&n->p_cpu, unified, "cpu.pressure");
    source(&n->p_io, unified, "io.pressure");
    source(&n->p_memory, unified, "memory.pressure");
    source(&n->mem_usage, n->memory_v1 ? memory : unified,
           n->memory_v1 ? "memory.usage_in_bytes" : "memory.current");
    source(&n->mem_limit, n->memory_v1 ? memory : unified,
           n->memory_v1 ? "memory.limit_in_bytes" : "memory.max");
    source(&n->mem_stat, n->memory_v1 ? memory : unified, "memory.stat");
    source(&n->mem_oom, n->memory_v1 ? memory : unified,
           n->memory_v1 ? "memory.oom_control" : "memory.events");
    source(&n->percpu, cpuacct, "cpuacct.usage_percpu");
    source(&n->io_bytes, n->io_v1 ? blkio : unified,
           n->io_v1 ? "blkio.throttle.io_service_bytes_recursive" : "io.stat");
    source(&n->io_ops, blkio, "blkio.throttle.io_serviced_recursive");
    source(&n->pids, pids[0] ? pids : unified, "pids.current");
    open_outputs(n);
    n->born = now();
    node_count++;
}

/* A node's file is replaced at each of its starts; the directory's time tells that one was. */
static void load_config(void)
{
    static struct timespec seen;
    struct stat st;
    struct dirent *e;
    DIR *d;
    if (stat(config_dir, &st) < 0) {
        stop = 1;
        return;
    }
    if (st.st_mtim.tv_sec == seen.tv_sec && st.st_mtim.tv_nsec == seen.tv_nsec)
        return;
    seen = st.st_mtim;
    for (int i = 0; i < node_count; i++) {
        char path[512], cfg[512];
        struct stat c, o;
        snprintf(path, sizeof path, "%s/%s/stat", output_dir, nodes[i].name);
        snprintf(cfg, sizeof cfg, "%s/%s", config_dir, nodes[i].name);
        /* Same directory and not rewritten since: keep its counters going. */
        nodes[i].seen = stat(cfg, &c) == 0 && fstat(nodes[i].out_fd[STAT], &o) == 0 &&
                        o.st_nlink > 0 && stat(path, &o) == 0;
        if (!nodes[i].seen) {
            forget(&nodes[i]);
            nodes[i--] = nodes[--node_count];
        }
    }
    if (!(d = opendir(config_dir)))
        return;
    while ((e = readdir(d))) {
        int known = e->d_name[0] == '.';
        for (int i = 0; i < node_count && !known; i++)
            known = !strcmp(nodes[i].name, e->d_name);
        if (!known)
            load_node(e->d_name);
    }
    closedir(d);
}

/* ---- the figures ---- */

/* CPU: user and system are the group's own. iowait is the time in which at least one of its tasks
 * waited for IO (pressure "some"), as one CPU's worth, out of what it left idle; on a kernel
 * without pressure figures the time its disks were busy. Steal is the machine's: a stolen CPU is
 * stolen from all. */
static void tick_cpu(struct node *n, double dt, int first)
{
    char text[4096];
    double user, sys, io, pcpu, percpu[MAX_CPUS] = {0}, d_user, d_sys, d_io, room, total, steal, used;
    double share, sum = 0, d_cpu[MAX_CPUS];
    char *p;
    if (!slurp(&n->cpu_stat, text, sizeof text))
        return;
    user = value_of(text, "user_usec") / 1e6 * HZ;
    sys = value_of(text, "system_usec") / 1e6 * HZ;
    io = slurp(&n->p_io, text, sizeof text) ? pressure_total(text, "some") / 1e6 * HZ
                                            : (n->busy_ms + n->own_busy_ms) / 1e3 * HZ;
    pcpu = slurp(&n->p_cpu, text, sizeof text) ? pressure_total(text, "some") / 1e6 : 0;
    if (slurp(&n->percpu, text, sizeof text)) {
        p = text;
        for (int c = 0; c < machine.cpus; c++)
            percpu[c] = strtod(p, &p) / 1e9 * HZ;
    }
    d_user = user - n->last_user, d_sys = sys - n->last_sys, d_io = io - n->last_io;
    total = dt * HZ * machine.cpus;
    used = d_user + d_sys;
    steal = fmin(machine.steal - machine.last_steal, fmax(0, total - used));
    room = fmax(0, total - used - steal);
    if (!first && dt > 0) {
        double wait = fmin(room, fmax(0, d_io)), running, decay;
        n->user += d_user, n->sys += d_sys, n->steal += steal, n->iowait += wait;
        n->idle += room - wait;
        for (int c = 0; c < machine.cpus; c++)
            sum += d_cpu[c] = fmax(0, percpu[c] - n->last_percpu[c]);
        for (int c = 0; c < machine.cpus; c++) {
            double mine, left = dt * HZ;
            share = sum > 0 ? d_cpu[c] / sum : 1.0 / machine.cpus;
            mine = fmin(left, used * share), left -= mine;
            n->cpu_busy[c] += mine;
            n->cpu_steal[c] += steal / machine.cpus, left = fmax(0, left - steal / machine.cpus);
            mine = fmin(left, wait / machine.cpus), left -= mine;
            n->cpu_iowait[c] += mine;
            n->cpu_idle[c] += left;
        }
        /* Load: tasks running, plus waiting for a CPU, plus waiting for a disk, averaged. */
        running = used / (dt * HZ) + fmax(0, pcpu - n->last_pcpu) / dt + d_io / (dt * HZ);
        for (int i = 0; i < 3; i++) {
            decay = exp(-dt / (double[]){60, 300, 900}[i]);
            n->load[i] = n->load[i] * decay + running * (1 - decay);
        }
        n->blocked = d_io > dt * HZ / 2;
        n->running = used > dt * HZ / 2 ? 2 : 1;
    }
    n->last_user = user, n->last_sys = sys, n->last_io = io, n->last_pcpu = pcpu;
    memcpy(n->last_percpu, percpu, sizeof percpu);
}

static void write_cpu(struct node *n, double t)
{
    static struct text out;
    char pids[64] = "";
    double busy = n->user + n->sys, share = busy > 0 ? n->user / busy : 0.5, idle = 0;
    struct timespec wall;
    out.len = 0;
    add(&out, "cpu  %.0f 0 %.0f %.0f %.0f 0 0 %.0f 0 0\n", n->user, n->sys, n->idle, n->iowait, n->steal);
    for (int c = 0; c < machine.cpus; c++) {
        add(&out, "cpu%d %.0f 0 %.0f %.0f %.0f 0 0 %.0f 0 0\n", c, n->cpu_busy[c] * share,
            n->cpu_busy[c] * (1 - share), n->cpu_idle[c], n->cpu_iowait[c], n->cpu_steal[c]);
        idle += n->cpu_idle[c] / HZ;
    }
    clock_gettime(CLOCK_REALTIME, &wall);
    /* Context switches and forks are not counted per group: the machine's. */
    add(&out, "intr 0\nctxt %.0f\nbtime %.0f\nprocesses %.0f\nprocs_running %d\nprocs_blocked %d\nsoftirq 0\n",
        value_of(machine.stat, "ctxt"), (double)wall.tv_sec - (t - n->born),
        value_of(machine.stat, "processes"), n->running ? n->running : 1, n->blocked);
    put(n, STAT, out.s, out.len);
    slurp(&n->pids, pids, sizeof pids);
    out.len = 0;
    add(&out, "%.2f %.2f %.2f %d/%d 0\n", n->load[0], n->load[1], n->load[2],
        n->running ? n->running : 1, pids[0] ? atoi(pids) : 1);
    put(n, LOADAVG, out.s, out.len);
    out.len = 0;
    add(&out, "%.2f %.2f\n", t - n->born, idle);
    put(n, UPTIME, out.s, out.len);
}

static void write_pressure(struct node *n)
{
    char text[1024];
    struct source *from[] = {&n->p_cpu, &n->p_io, &n->p_memory};
    for (int i = 0; i < 3; i++) {
        int len = slurp(from[i], text, sizeof text);
        if (len > 0)
            put(n, P_CPU + (enum out)i, text, (size_t)len);
    }
}

/* Memory: the group's limit is the node's RAM. */
static void write_memory(struct node *n)
{
    static struct text out;
    static char vm[TEXT];
    char text[8192], stat[8192], *p;
    double limit = 0, usage, cache, inactive_file, active_file, anon, oom, host, file_dirty, writeback;
    const char *prefix = n->memory_v1 ? "total_" : "";
    char key[64];
#define STATV(k) (snprintf(key, sizeof key, "%s%s", prefix, k), value_of(stat, key))
    if (slurp(&n->mem_limit, text, sizeof text))
        limit = strtod(text, NULL);
    host = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (limit <= 0 || limit > host)
        limit = host;
    if (!slurp(&n->mem_usage, text, sizeof text))
        return;
    usage = strtod(text, NULL);
    if (!slurp(&n->mem_stat, stat, sizeof stat))
        return;
    cache = STATV(n->memory_v1 ? "cache" : "file");
    anon = STATV(n->memory_v1 ? "rss" : "anon");
    inactive_file = STATV("inactive_file");
    active_file = STATV("active_file");
    file_dirty = STATV(n->memory_v1 ? "dirty" : "file_dirty");
    writeback = STATV(n->memory_v1 ? "writeback" : "file_writeback");
    out.len = 0;
#define KB(name, value) add(&out, "%-16s%8.0f kB\n", name ":", fmax(0, value) / 1024)
    KB("MemTotal", limit);
    KB("MemFree", limit - usage);
    KB("MemAvailable", fmin(limit, limit - usage + inactive_file + active_file / 2));
    KB("Buffers", 0.0);
    KB("Cached", cache);
    KB("SwapCached", 0.0);
    KB("Active", STATV("active_anon") + active_file);
    KB("Inactive", STATV("inactive_anon") + inactive_file);
    KB("SwapTotal", 0.0);
    KB("SwapFree", 0.0);
    KB("Dirty", file_dirty);
    KB("Writeback", writeback);
    KB("AnonPages", anon);
    KB("Mapped", STATV(n->memory_v1 ? "mapped_file" : "file_mapped"));
    KB("Shmem", STATV("shmem"));
    KB("Slab", fmax(0, usage - cache - anon));
    put(n, MEMINFO, out.s, out.len);

    /* vmstat: the machine's, with the group's page faults and OOM kills. */
    oom = slurp(&n->mem_oom, text, sizeof text) ? value_of(text, "oom_kill") : 0;
    out.len = 0;
    snprintf(vm, sizeof vm, "%s", machine.vmstat);
    for (p = vm; *p;) {
        char *end = strchr(p, '\n');
        if (!end)
            break;
        *end = 0;
        if (!strncmp(p, "oom_kill ", 9))
            add(&out, "oom_kill %.0f\n", oom);
        else if (!strncmp(p, "pgfault ", 8))
            add(&out, "pgfault %.0f\n", STATV("pgfault"));
        else if (!strncmp(p, "pgmajfault ", 11))
            add(&out, "pgmajfault %.0f\n", STATV("pgmajfault"));
        else
            add(&out, "%s\n", p);
        p = end + 1;
    }
    put(n, VMSTAT, out.s, out.len);
}

/* Bytes or operations of a v1 file ("MAJ:MIN Read N"), by direction. */
static double v1_io(const char *text, const char *disk, const char *what)
{
    char key[64];
    snprintf(key, sizeof key, "%s %s", disk, what);
    return value_of(text, key);
}

static double v2_io(const char *text, const char *disk, const char *what)
{
    const char *p = strstr(text, disk), *end, *v;
    if (!p)
        return 0;
    end = strchrnul(p, '\n');
    v = strstr(p, what);
    return v && v < end ? strtod(v + strlen(what), NULL) : 0;
}

/* Disks: an own device is shown as the kernel counts it. Of the common disk a node sees its own
 * operations and bytes; their waiting time is the disk's average wait for that interval. */
static void write_disks(struct node *n, int first)
{
    static struct text out;
    char text[4096], name[32], *line;
    double rio, wio, d_r, d_w, host_r, host_w, host_busy, host_ops;
    int maj, min;
    if (slurp(&n->io_bytes, text, sizeof text)) {
        n->rsec = (n->io_v1 ? v1_io(text, n->disk, "Read") : v2_io(text, n->disk, "rbytes=")) / 512;
        n->wsec = (n->io_v1 ? v1_io(text, n->disk, "Write") : v2_io(text, n->disk, "wbytes=")) / 512;
    }
    if (n->io_v1 && !slurp(&n->io_ops, text, sizeof text))
        text[0] = 0;
    rio = n->io_v1 ? v1_io(text, n->disk, "Read") : v2_io(text, n->disk, "rios=");
    wio = n->io_v1 ? v1_io(text, n->disk, "Write") : v2_io(text, n->disk, "wios=");
    d_r = fmax(0, rio - n->last_rio), d_w = fmax(0, wio - n->last_wio);
    host_r = machine.disk[0] - machine.last_disk[0];
    host_w = machine.disk[4] - machine.last_disk[4];
    host_busy = machine.disk[9] - machine.last_disk[9];
    host_ops = host_r + host_w;
    if (!first) {
        if (host_r > 0)
            n->rms += (machine.disk[3] - machine.last_disk[3]) * fmin(1, d_r / host_r);
        if (host_w > 0)
            n->wms += (machine.disk[7] - machine.last_disk[7]) * fmin(1, d_w / host_w);
        if (host_ops > 0)
            n->busy_ms += host_busy * fmin(1, (d_r + d_w) / host_ops);
    }
    n->last_rio = rio, n->last_wio = wio;
    out.len = 0;
    for (line = machine.diskstats; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : line) {
        char number[32];
        if (sscanf(line, "%d %d %31s", &maj, &min, name) != 3)
            continue;
        snprintf(number, sizeof number, "%d:%d", maj, min);
        if (!strcmp(number, n->disk))
            add(&out, "%4d %7d %s %.0f 0 %.0f %.0f %.0f 0 %.0f %.0f 0 %.0f %.0f 0 0 0 0 0 0\n", maj, min,
                name, rio, n->rsec, n->rms, wio, n->wsec, n->wms, n->busy_ms, n->rms + n->wms);
        for (int i = 0; i < n->own_count; i++)
            if (!strcmp(name, n->own[i])) {
                add(&out, "%.*s\n", (int)(strchrnul(line, '\n') - line), line);
                /* The tenth figure behind the name: milliseconds with requests in flight. */
                sscanf(line, "%*d %*d %*s %*u %*u %*u %*u %*u %*u %*u %*u %*u %lf", &n->own_busy_ms);
            }
    }
    put(n, DISKSTATS, out.s, out.len);
}

/* ---- the machine ---- */

static void read_machine(void)
{
    char *line, name[32];
    int maj, min;
    unsigned long long v[11];
    slurp_path("/proc/stat", machine.stat, sizeof machine.stat);
    slurp_path("/proc/diskstats", machine.diskstats, sizeof machine.diskstats);
    slurp_path("/proc/vmstat", machine.vmstat, sizeof machine.vmstat);
    machine.last_steal = machine.steal;
    if (sscanf(machine.stat, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", v) == 1)
        machine.steal = (double)v[0];
    memcpy(machine.last_disk, machine.disk, sizeof machine.disk);
    if (!node_count)
        return;
    for (line = machine.diskstats; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : line) {
        char number[32];
        if (sscanf(line, "%d %d %31s %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", &maj, &min,
                   name, v, v + 1, v + 2, v + 3, v + 4, v + 5, v + 6, v + 7, v + 8, v + 9, v + 10) != 14)
            continue;
        snprintf(number, sizeof number, "%d:%d", maj, min);
        if (!strcmp(number, nodes[0].disk))
            for (int i = 0; i < 11; i++)
                machine.disk[i] = (double)v[i];
    }
}

int main(int argc, char **argv)
{
    struct timespec pause = {0, 1000000000L / TICKS_PER_SECOND};
    if (argc != 3) {
        fprintf(stderr, "usage: figures CONFIG_DIR OUTPUT_DIR\n");
        return 2;
    }
    config_dir = argv[1], output_dir = argv[2];
    signal(SIGTERM, on_signal);
    signal(SIGINT, on_signal);
    machine.cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (machine.cpus > MAX_CPUS)
        machine.cpus = MAX_CPUS;
    for (unsigned tick = 0; !stop; tick++) {
        load_config();
        read_machine();
        for (int i = 0; i < node_count; i++) {
            struct node *n = &nodes[i];
            double t = now();
            int first = n->last == 0;
            tick_cpu(n, t - n->last, first);
            write_cpu(n, t);
            write_pressure(n);
            write_disks(n, first);
            if (first || tick % TICKS_PER_SECOND == 0)
                write_memory(n);
            n->last = t;
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}
