/* Compressed RTF (MS-OXRTFCP). */
#ifndef SG_TNEFREADER_LZFU_H
#define SG_TNEFREADER_LZFU_H

#include "tnefreader/reader.h"

/* Gives the RTF to the sink's data(); what can be had of a broken one too. */
enum sg_tnef_damage sg_lzfu_read(struct sg_bytes compressed, const struct sg_tnef_sink *sink);

#endif
