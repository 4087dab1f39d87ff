/* What a signer says its software can do (SMIMECapabilities, RFC 8551 §2.5.2; REQ-84). */
#ifndef SG_SMIME_CAPABILITIES_H
#define SG_SMIME_CAPABILITIES_H

#include "common/bytes.h"
#include "common/capability.h"

#define SG_SMIME_CAPABILITIES_MAX 4096 /* octets that are looked at; ours are 130 */

/*
 * Of the attribute's value, which is foreign: bits of SG_SMIME_CAN_…, whatever their order. What we
 * do not know is passed over. 0 where it is no strict DER, larger than SG_SMIME_CAPABILITIES_MAX,
 * or says nothing that we know: nothing is to be learned from it.
 */
uint32_t sg_smime_capabilities_parse(struct sg_bytes der);

#endif
