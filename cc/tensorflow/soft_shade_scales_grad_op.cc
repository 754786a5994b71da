// Softras>SoftShadeScalesGrad: registration, shape function, documentation and
// the kernel. On CPUs alone: TensorFlow's soft placement brings a GPU's tensors
// there.
#include <cstdint>

#include "absl/status/status.h"
#include "cc/cpu/parallel.h"
#include "cc/cpu/shade/shade_passes.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/cpu_backend.h"
#include "cc/tensorflow/soft_shade_kernel.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/shape_inference.h"
#include "tensorflow/core/framework/tensor.h"
#include "tensorflow/core/framework/types.h"

namespace tf_softras {

using tensorflow::shape_inference::InferenceContext;
using tensorflow::shape_inference::ShapeHandle;

// ------------------------------------------------------------ Registration

REGISTER_OP("Softras>SoftShadeScalesGrad")
    .Input("vertices: T")
    .Input("faces: int32")
    .Input("sigma: T")
    .Input("gamma: T")
    .Input("attributes: T")
    .Input("background: T")
    .Input("transparency: T")
    .Input("image: T")
    .Input("state: T")
    .Input("image_gradient: T")
    .Input("alpha_gradient: T")
    .Output("sigma_gradient: T")
    .Output("gamma_gradient: T")
    .Attr("height: int >= 1")
    .Attr("width: int >= 1")
    .Attr("near: float = 0.0")
    .Attr("far: float = 100.0")
    .Attr("epsilon: float = 1e-3")
    .Attr("min_coverage: float = 1e-4")
    .Attr("aggregation: {'soft', 'hard'} = 'soft'")
    .Attr("interpolation: {'perspective', 'linear'} = 'perspective'")
    .Attr("summed_channels: int >= 0 = 0")
    .Attr("T: {float, double}")
    .SetShapeFn([](InferenceContext* c) {
      ShapeHandle plane, image;
      TF_RETURN_IF_ERROR(ShadedShapes(c, &plane, &image));
      TF_RETURN_IF_ERROR(MergeUpstreamShapes(c, plane, image));
      c->set_output(0, c->Scalar());
      c->set_output(1, c->Scalar());
      return absl::OkStatus();
    })
    .Doc(R"doc(
Gradients of Softras>SoftShade with respect to sigma and gamma.

Sums over all pixels. The gradient of the image sees no jump where D passes min_coverage. With 'hard'
aggregation sigma has a part in alpha alone, and gamma's gradient is 0. The bits do not depend on the
number of threads.

vertices: As in the forward op.
faces: As in the forward op.
sigma: As in the forward op.
gamma: As in the forward op.
attributes: As in the forward op.
background: As in the forward op.
transparency: [batch, height, width], the forward op's third output.
image: [batch, height, width, channels], the forward op's first output.
state: [batch, height, width, numbers], the forward op's fourth output, or [batch, height, width,
  0]: then faces are blended again.
image_gradient: [batch, height, width, channels], the upstream gradient of the image.
alpha_gradient: [batch, height, width], the upstream gradient of alpha.
sigma_gradient: Scalar.
gamma_gradient: Scalar.
height: As in the forward op.
width: As in the forward op.
near: As in the forward op.
far: As in the forward op.
epsilon: As in the forward op.
min_coverage: As in the forward op.
aggregation: As in the forward op.
interpolation: As in the forward op.
summed_channels: As in the forward op.
)doc");

// ------------------------------------------------------------------ Kernel

template <typename T>
class SoftShadeScalesGradOp : public SoftShadeOpBase<CpuBackend, T> {
 public:
  using SoftShadeOpBase<CpuBackend, T>::SoftShadeOpBase;

  void Compute(tensorflow::OpKernelContext* context) override {
    CpuBackend backend(context);
    SoftShadeInputs<T> inputs;
    SoftShadeShapes shapes;
    OP_REQUIRES_OK(context, this->Read(context, &backend, &inputs, &shapes));
    SoftShadeUpstream<T> upstream;
    OP_REQUIRES_OK(context, this->ReadUpstream(context, shapes, &upstream));
    tensorflow::Tensor* sigma = nullptr;
    tensorflow::Tensor* gamma = nullptr;
    const tensorflow::TensorShape scalar({});
    OP_REQUIRES_OK(context, context->allocate_output(0, scalar, &sigma));
    OP_REQUIRES_OK(context, context->allocate_output(1, scalar, &gamma));
    OP_REQUIRES_OK(context, backend.Run([&](const ParallelFor& parallel_for) {
      ShadeScalesBackward(inputs, this->is_hard(), upstream,
                          sigma->flat<T>().data(), gamma->flat<T>().data(),
                          parallel_for);
    }));
  }
};

#define TF_SOFTRAS_REGISTER(T)                                \
  REGISTER_KERNEL_BUILDER(Name("Softras>SoftShadeScalesGrad") \
                              .Device(tensorflow::DEVICE_CPU) \
                              .TypeConstraint<T>("T"),        \
                          SoftShadeScalesGradOp<T>)
TF_SOFTRAS_REGISTER(float);
TF_SOFTRAS_REGISTER(double);
#undef TF_SOFTRAS_REGISTER

}  // namespace tf_softras
