/*
 * An access port of a VLAN for the lab's load clients, where the kernel may have no VLAN support
 * of its own: frames between a cable (tagged) and a tap device (untagged).
 *
 *   vlanport CABLE TAP VLAN
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAME 2048
#define TAG_AT 12 /* behind the two addresses */

static void die(const char *what)
{
    fprintf(stderr, "vlanport: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_tap(const char *name)
{
    struct ifreq request = {0};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        die("/dev/net/tun");
    snprintf(request.ifr_name, IFNAMSIZ, "%.15s", name);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        die(name);
    return fd;
}

static int open_cable(const char *name)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
    int on = 1, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (fd < 0)
        die("packet socket");
    address.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(name);
    if (!address.sll_ifindex || bind(fd, (struct sockaddr *)&address, sizeof address) < 0)
        die(name);
    if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) < 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof on) < 0)
        die("packet options");
    return fd;
}

/* The kernel takes the tag off a received frame and hands it over beside it. */
static void to_tap(int cable, int tap, int vlan)
{
    unsigned char frame[FRAME];
    union { struct cmsghdr align; char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))]; } control;
    struct sockaddr_ll from;
    struct iovec data = {frame, sizeof frame};
    struct msghdr message = {&from, sizeof from, &data, 1, &control, sizeof control, 0};
    ssize_t n = recvmsg(cable, &message, 0);
    if (n <= 0 || from.sll_pkttype == PACKET_OUTGOING)
        return;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        struct tpacket_auxdata aux;
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        memcpy(&aux, CMSG_DATA(c), sizeof aux);
        if ((aux.tp_status & TP_STATUS_VLAN_VALID) && (aux.tp_vlan_tci & 0xfff) == vlan &&
            write(tap, frame, (size_t)n) < 0 && errno != EIO)
            die("write to tap");
    }
}

static void to_cable(int cable, int tap, int vlan)
{
    unsigned char frame[FRAME + 4];
    ssize_t n = read(tap, frame, FRAME);
    if (n < TAG_AT + 2)
        return;
    memmove(frame + TAG_AT + 4, frame + TAG_AT, (size_t)n - TAG_AT);
    frame[TAG_AT] = 0x81, frame[TAG_AT + 1] = 0x00;
    frame[TAG_AT + 2] = (unsigned char)(vlan >> 8), frame[TAG_AT + 3] = (unsigned char)vlan;
    /* A pulled cable loses frames, it is no reason to stop. */
    if (send(cable, frame, (size_t)n + 4, 0) < 0 && errno != ENETDOWN && errno != ENOBUFS && errno != ENXIO)
        die("send");
}

int main(int argc, char **argv)
{
    int tap, cable, vlan;
    if (argc != 4 || (vlan = atoi(argv[3])) < 1 || vlan > 4094) {
        fprintf(stderr, "usage: vlanport CABLE TAP VLAN\n");
        return 2;
    }
    cable = open_cable(argv[1]);
    tap = open_tap(argv[2]);
    for (;;) {
        struct pollfd wait[2] = {{cable, POLLIN, 0}, {tap, POLLIN, 0}};
        if (poll(wait, 2, -1) < 0 && errno != EINTR)
            die("poll");
        if (wait[0].revents)
            to_tap(cable, tap, vlan);
        if (wait[1].revents & POLLIN)
            to_cable(cable, tap, vlan);
    }
}
