// Compiles one source for several instruction sets.
#ifndef TF_SOFTRAS_CC_CPU_SIMD_H_
#define TF_SOFTRAS_CC_CPU_SIMD_H_

// Marks a function that is compiled once for each instruction set. The loader
// picks one. Everything that it calls in a hot loop must be inlined into it
// (TF_SOFTRAS_INLINE). Sanitizers do not support the resolver functions.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TF_SOFTRAS_CLONES \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define TF_SOFTRAS_CLONES
#endif

#endif  // TF_SOFTRAS_CC_CPU_SIMD_H_
