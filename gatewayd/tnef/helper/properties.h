/* Lists of MAPI properties in TNEF (MS-OXTNEF 2.1.3.4): walked value by value. */
#ifndef SG_TNEFREADER_PROPERTIES_H
#define SG_TNEFREADER_PROPERTIES_H

#include "common/bytes.h"

enum {
    SG_MAPI_INTEGER32 = 0x0003,
    SG_MAPI_OBJECT = 0x000d,
    SG_MAPI_STRING8 = 0x001e,
    SG_MAPI_UNICODE = 0x001f,
    SG_MAPI_BINARY = 0x0102
};

struct sg_mapi_value {
    uint16_t type; /* of one value, also where the property has several */
    uint16_t id;
    const uint8_t *set; /* GUID of a named property (id from 0x8000 on), else NULL */
    struct sg_bytes bytes;
};

struct sg_mapi_list {
    struct sg_bytes at;
    uint32_t properties, values; /* still to come; values of the current property */
    struct sg_mapi_value value;
    bool broken;
};

/* false: it is too short for its count (list_r is then broken). */
bool sg_mapi_list_open(struct sg_bytes bytes, struct sg_mapi_list *list_r);
/* The next value. false: there is none, or (list->broken) it cannot be found. */
bool sg_mapi_list_next(struct sg_mapi_list *list);

#endif
