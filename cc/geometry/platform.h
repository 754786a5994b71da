// Marks functions so that host and device compile the same text.
#ifndef TF_SOFTRAS_CC_GEOMETRY_PLATFORM_H_
#define TF_SOFTRAS_CC_GEOMETRY_PLATFORM_H_

#if defined(__CUDACC__)
#define TF_SOFTRAS_INLINE __host__ __device__ __forceinline__
#else
// always_inline, because a function that is cloned per instruction set
// vectorises only the code that is inlined into the clone.
#define TF_SOFTRAS_INLINE inline __attribute__((always_inline))
#endif

#endif  // TF_SOFTRAS_CC_GEOMETRY_PLATFORM_H_
