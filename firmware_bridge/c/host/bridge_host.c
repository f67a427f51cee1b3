/*
 * The firmware of examples/bridge as a program: a pty for the serial line, UDP for the air.
 *
 * bridge_host LINK PORT PEER_PORT [SPEED]: makes a pty and the symbolic link LINK to it, sends
 * packets to PEER_PORT of this machine and hears those that come to PORT. SPEED times faster than
 * the radio would be. Ends when its standard input does.
 */
#define _XOPEN_SOURCE 600

#include "firmware.h"
#include "sx127x_sim.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 2

typedef struct {
    firmware_t firmware;
    sx127x_sim_t chip;
    int line;
    int line_end; /* Kept open, so that the line never hangs up. */
    int air;
    struct sockaddr_in peer;
    uint32_t speed;
} host_t;

static uint32_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* What the host does not read is lost, as on a serial line. */
static void to_host(void *user, const uint8_t *data, size_t size)
{
    host_t *host = user;
    if (write(host->line, data, size) < 0)
        host->firmware.bridge.lost++;
}

static void transfer(void *user, const uint8_t *out, uint8_t *in, size_t size)
{
    host_t *host = user;
    sx127x_sim_transfer(&host->chip, out, in, size);
}

static void on_air(void *user, const uint8_t *data, size_t size)
{
    host_t *host = user;
    sendto(host->air, data, size, 0, (struct sockaddr *)&host->peer, sizeof host->peer);
}

static uint32_t airtime_ms(void *user, size_t size)
{
    host_t *host = user;
    return sx127x_airtime_ms(&host->firmware.radio.config, size) / host->speed;
}

static void open_line(host_t *host, const char *link)
{
    struct termios raw;
    host->line = posix_openpt(O_RDWR | O_NOCTTY);
    if (host->line < 0 || grantpt(host->line) != 0 || unlockpt(host->line) != 0)
        fail("pty");
    host->line_end = open(ptsname(host->line), O_RDWR | O_NOCTTY);
    if (host->line_end < 0 || tcgetattr(host->line_end, &raw) != 0)
        fail("pty");
    raw.c_iflag = 0;
    raw.c_oflag = 0;
    raw.c_lflag = 0;
    raw.c_cflag |= CS8 | CREAD | CLOCAL;
    tcsetattr(host->line_end, TCSANOW, &raw);
    fcntl(host->line, F_SETFL, O_NONBLOCK);
    unlink(link);
    if (symlink(ptsname(host->line), link) != 0)
        fail(link);
}

static struct sockaddr_in local_address(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)atoi(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

static void open_air(host_t *host, const char *port, const char *peer_port)
{
    struct sockaddr_in own = local_address(port);
    host->peer = local_address(peer_port);
    host->air = socket(AF_INET, SOCK_DGRAM, 0);
    if (host->air < 0 || bind(host->air, (struct sockaddr *)&own, sizeof own) != 0)
        fail("udp");
}

static void serve_line(host_t *host)
{
    uint8_t data[512];
    ssize_t size = read(host->line, data, sizeof data);
    if (size > 0)
        firmware_receive(&host->firmware, data, (size_t)size, now_ms());
}

static void serve_air(host_t *host)
{
    uint8_t data[SIM_FIFO_BYTES];
    ssize_t size = recv(host->air, data, sizeof data, 0);
    if (size > 0)
        sx127x_sim_receive(&host->chip, data, (size_t)size, false);
}

/* False when standard input has ended. */
static bool serve(host_t *host)
{
    char nothing[64];
    struct pollfd ports[] = {
        {.fd = host->line, .events = POLLIN},
        {.fd = host->air, .events = POLLIN},
        {.fd = STDIN_FILENO, .events = POLLIN},
    };
    poll(ports, 3, POLL_MS);
    if (ports[0].revents & POLLIN)
        serve_line(host);
    if (ports[1].revents & POLLIN)
        serve_air(host);
    sx127x_sim_tick(&host->chip, now_ms());
    firmware_poll(&host->firmware, now_ms());
    return ports[2].revents == 0 || read(STDIN_FILENO, nothing, sizeof nothing) > 0;
}

int main(int count, char **arguments)
{
    static host_t host;
    if (count < 4 || count > 5) {
        fprintf(stderr, "usage: %s LINK PORT PEER_PORT [SPEED]\n", arguments[0]);
        return 2;
    }
    host.speed = count == 5 && atoi(arguments[4]) > 0 ? (uint32_t)atoi(arguments[4]) : 1;
    sx127x_config_t config = sx127x_defaults();
    firmware_board_t board = {transfer, to_host, &host};
    open_air(&host, arguments[2], arguments[3]);
    sx127x_sim_init(&host.chip, on_air, airtime_ms, &host);
    if (!firmware_init(&host.firmware, &config, &board, now_ms()))
        return 1;
    open_line(&host, arguments[1]);
    puts("ready");
    fflush(stdout);
    while (serve(&host))
        continue;
    unlink(arguments[1]);
    return 0;
}
