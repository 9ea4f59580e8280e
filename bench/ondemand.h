/* bench/ondemand.h - what the decoder is measured against: simdjson, on demand.
 *
 * The fastest way that library has to read the fields which format kumomta takes: it goes through
 * the members once, skips over the values of others, and checks neither those nor what is behind
 * the object. Compiled for AVX2 on x86-64, because on demand it does not choose at run time.
 *
 * Thread: confined to one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

struct ondemand;

/* ERR_REFUSED: not on this processor. ERR_NO_MEMORY. */
MUST_USE enum err ondemand_create(size_t record_size_max, struct ondemand **out);
void ondemand_destroy(struct ondemand **ondemand);

/* Copies the record to padded memory, as what is fetched from Kafka must be, and reads its fields:
 * how many bytes of text and digits they have, 0 if it is no JSON. */
uint64_t ondemand_read(struct ondemand *ondemand, struct span record);

#ifdef __cplusplus
}
#endif
