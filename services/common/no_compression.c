/* SPDX-License-Identifier: MIT */
/*
 * A service compresses nothing, but a libcrypto that was built with zlib, zstd or brotli has calls
 * for it, and an archive of each would be linked in: 619 KiB of zstd. Instead of them libcrypto
 * finds these functions, each of which gives back at once what its manual calls a failure. They
 * take no arguments, for they look at none, and a caller's do no harm.
 *
 * Names are those that libcrypto 3.0 to 3.6 use. One that it came to use besides would bring the
 * archive in again, which services/tests/linked_test.py refuses, as it does every other user of
 * these.
 */
#include <stddef.h>

/* Defined and declared: nothing of ours calls it. */
#define FAILS(type, name, failure)      \
	type name(void);                \
	type name(void)                 \
	{                               \
		return (type)(failure); \
	}                               \
	type name(void)

typedef const char *text;

/* zlib.h: Z_STREAM_ERROR. */
#define ZLIB_FAILURE (-2)

FAILS(int, compress, ZLIB_FAILURE);
FAILS(int, uncompress, ZLIB_FAILURE);
FAILS(int, deflateInit_, ZLIB_FAILURE);
FAILS(int, deflate, ZLIB_FAILURE);
FAILS(int, deflateEnd, ZLIB_FAILURE);
FAILS(int, inflateInit_, ZLIB_FAILURE);
FAILS(int, inflate, ZLIB_FAILURE);
FAILS(int, inflateEnd, ZLIB_FAILURE);
FAILS(text, zError, "no zlib");

/* zstd_errors.h: ZSTD_error_GENERIC is 1, and functions give back what is so much below 0. */
#define ZSTD_FAILURE (-1)

FAILS(void *, ZSTD_createCStream_advanced, NULL);
FAILS(size_t, ZSTD_initCStream, ZSTD_FAILURE);
FAILS(size_t, ZSTD_CStreamInSize, 0);
FAILS(size_t, ZSTD_compress, ZSTD_FAILURE);
FAILS(size_t, ZSTD_compressStream2, ZSTD_FAILURE);
FAILS(size_t, ZSTD_flushStream, ZSTD_FAILURE);
FAILS(size_t, ZSTD_endStream, ZSTD_FAILURE);
FAILS(size_t, ZSTD_freeCStream, 0);
FAILS(void *, ZSTD_createDStream_advanced, NULL);
FAILS(size_t, ZSTD_initDStream, ZSTD_FAILURE);
FAILS(size_t, ZSTD_DStreamInSize, 0);
FAILS(size_t, ZSTD_decompress, ZSTD_FAILURE);
FAILS(size_t, ZSTD_decompressStream, ZSTD_FAILURE);
FAILS(size_t, ZSTD_freeDStream, 0);
FAILS(unsigned int, ZSTD_isError, 1);
FAILS(text, ZSTD_getErrorName, "no zstd");

/* brotli's encode.h and decode.h: BROTLI_FALSE, and BROTLI_DECODER_RESULT_ERROR. */
#define BROTLI_FAILURE 0

FAILS(void *, BrotliEncoderCreateInstance, NULL);
FAILS(int, BrotliEncoderCompress, BROTLI_FAILURE);
FAILS(int, BrotliEncoderCompressStream, BROTLI_FAILURE);
FAILS(int, BrotliEncoderHasMoreOutput, BROTLI_FAILURE);
FAILS(void, BrotliEncoderDestroyInstance, 0);
FAILS(void *, BrotliDecoderCreateInstance, NULL);
FAILS(int, BrotliDecoderDecompress, BROTLI_FAILURE);
FAILS(int, BrotliDecoderDecompressStream, BROTLI_FAILURE);
FAILS(int, BrotliDecoderHasMoreOutput, BROTLI_FAILURE);
FAILS(int, BrotliDecoderIsFinished, BROTLI_FAILURE);
FAILS(int, BrotliDecoderGetErrorCode, -1);
FAILS(text, BrotliDecoderErrorString, "no brotli");
FAILS(void, BrotliDecoderDestroyInstance, 0);
