// Shared by the kernels of Softras>SoftRasterize and of its derivatives, except
// those under XLA.
#ifndef TF_SOFTRAS_CC_TENSORFLOW_SOFT_RASTERIZE_KERNEL_H_
#define TF_SOFTRAS_CC_TENSORFLOW_SOFT_RASTERIZE_KERNEL_H_

#include <cstdint>

#include "absl/status/status.h"
#include "cc/raster/inputs.h"
#include "cc/tensorflow/soft_rasterize_op.h"
#include "cc/tensorflow/validation.h"
#include "tensorflow/core/framework/op_kernel.h"
#include "tensorflow/core/framework/tensor.h"

namespace tf_softras {

template <typename Backend, typename T>
class SoftRasterizeOpBase : public tensorflow::OpKernel {
 public:
  explicit SoftRasterizeOpBase(tensorflow::OpKernelConstruction* context)
      : OpKernel(context) {
    OP_REQUIRES_OK(context, attributes_.Read(context));
  }

 protected:
  // Reads and checks what all of them have.
  absl::Status Read(tensorflow::OpKernelContext* context, Backend* backend,
                    SoftRasterizeInputs<T>* inputs,
                    SoftRasterizeShapes* shapes) const {
    const tensorflow::Tensor& vertices =
        context->input(SoftRasterizeInput::kVertices);
    const tensorflow::Tensor& faces =
        context->input(SoftRasterizeInput::kFaces);
    const tensorflow::Tensor& sigma =
        context->input(SoftRasterizeInput::kSigma);
    shapes->vertices = vertices.shape();
    shapes->faces = faces.shape();
    shapes->sigma = sigma.shape();
    TF_RETURN_IF_ERROR(shapes->Validate(attributes_));
    FillInputs(*shapes, attributes_, inputs);
    inputs->vertices = vertices.flat<T>().data();
    inputs->faces = faces.flat<int32_t>().data();
    inputs->sigma = sigma.scalar<T>()();
    TF_RETURN_IF_ERROR(ValidatePositive("sigma", inputs->sigma));
    return backend->ValidateArrays(*inputs);
  }

 private:
  SoftRasterizeAttributes attributes_;
};

}  // namespace tf_softras

#endif  // TF_SOFTRAS_CC_TENSORFLOW_SOFT_RASTERIZE_KERNEL_H_
