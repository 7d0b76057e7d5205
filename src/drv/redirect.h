/* The XDP program under an AF_XDP socket: every frame of receive queue 0 goes to the socket.
 * Attached as a BPF link, which the kernel undoes when the descriptor closes, so a killed program
 * leaves the device as it was. (libxdp's own default program is attached by netlink and would
 * stay.) Private to src/drv. */
#ifndef CAPY_DRV_REDIRECT_H
#define CAPY_DRV_REDIRECT_H

#include <stdbool.h>

struct capy_redirect {
    int map_fd, prog_fd, link_fd; /* -1: not open */
    bool generic; /* the device's driver knows no XDP: frames are copied into skbs */
};

/* Loads the program and enters the socket in its map. CAPY_OK, or CAPY_E_SYS with errno; in both
 * cases capy_redirect_close is due. */
int capy_redirect_load(struct capy_redirect *r, int xsk_fd);
/* From here the socket gets the device's frames: native XDP, else generic if allowed. CAPY_OK or
 * CAPY_E_SYS. */
int capy_redirect_attach(struct capy_redirect *r, unsigned ifindex, bool generic_too);
void capy_redirect_close(struct capy_redirect *r);
/* The XDP program on the device is somebody's who lives: a link holds it that is not about to be freed.
 * Also true when we may not look. */
bool capy_redirect_is_held(unsigned ifindex);

#endif
