/*
 * What gatewayd and sealgate-tnef say to each other over a socket pair, on one machine, once:
 *
 *   helper    READY         it is in its sandbox
 *   gatewayd  a request, and the stream
 *   helper    (BEGIN [NAME TYPE] DATA* | DAMAGE)* END
 *
 * The helper's side is not believed: whoever reads it checks it against its limits.
 */
#ifndef SG_TNEFREADER_PROTOCOL_H
#define SG_TNEFREADER_PROTOCOL_H

#include <stdint.h>

enum sg_tnef_frame_type {
    SG_TNEF_READY = 1,
    SG_TNEF_BEGIN,  /* a part: kind, depth, codepage */
    SG_TNEF_NAME,   /* of the part: codepage, and len bytes that follow */
    SG_TNEF_TYPE,   /* the same */
    SG_TNEF_DATA,   /* len bytes that follow */
    SG_TNEF_DAMAGE, /* kind: an enum sg_tnef_damage */
    SG_TNEF_END
};

struct sg_tnef_request {
    uint64_t len; /* of the stream */
    uint8_t attachments, unused[7];
};

struct sg_tnef_frame {
    uint8_t type, kind;
    uint16_t depth;
    uint32_t codepage, len;
};

/* How a helper ends that does not get as far as READY, or is not asked as agreed. */
enum sg_tnef_exit {
    SG_TNEF_EXIT_DONE = 0,
    SG_TNEF_EXIT_USAGE = 10,
    SG_TNEF_EXIT_LIMITS,
    SG_TNEF_EXIT_MEMORY,
    SG_TNEF_EXIT_SANDBOX,
    SG_TNEF_EXIT_IO
};

#endif
