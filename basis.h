#pragma once

// All of Basis that a program outside it needs, room by room; link basis::basis. Inside the tree,
// include the header of the thing itself.

#include "basis_version.h"

// tensor: numbers, devices, files of tensors
#include "tensor/arena.h"
#include "tensor/backend.h"
#include "tensor/caching_allocator.h"
#include "tensor/cpu/cpu_backend.h"
#include "tensor/error.h"
#include "tensor/packed.h"
#include "tensor/philox.h"
#include "tensor/row_segments.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"
#include "tensor/transfer.h"

// autograd: differentiable operations
#include "autograd/attention.h"
#include "autograd/context.h"
#include "autograd/elementwise.h"
#include "autograd/embedding.h"
#include "autograd/gradcheck.h"
#include "autograd/linear.h"
#include "autograd/losses.h"
#include "autograd/normalization.h"
#include "autograd/row_gradient.h"
#include "autograd/rows.h"
#include "autograd/tape.h"
#include "autograd/variable.h"

// nn: layers and BERT
#include "nn/adapter.h"
#include "nn/bert.h"
#include "nn/bert_config.h"
#include "nn/checkpoint.h"
#include "nn/encoder.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "nn/masked_language_model.h"
#include "nn/model_builder.h"
#include "nn/parameter.h"
#include "nn/sequence_classifier.h"

// optim: optimisers and schedules
#include "optim/optimizer.h"
#include "optim/row_table.h"
#include "optim/schedule.h"

// spectral: bases of weights, adapters, analyses
#include "spectral/adapter_method.h"
#include "spectral/analysis.h"
#include "spectral/leading_svd.h"
#include "spectral/rotation.h"
#include "spectral/stability.h"
#include "spectral/statistics.h"
#include "spectral/svd.h"
#include "spectral/svd_basis.h"

// data: text to packed batches
#include "data/batch.h"
#include "data/batch_plan.h"
#include "data/corpus.h"
#include "data/cross_fitting.h"
#include "data/dataset.h"
#include "data/glue.h"
#include "data/image_batches.h"
#include "data/image_set.h"
#include "data/image_subsets.h"
#include "data/image_task.h"
#include "data/image_transforms.h"
#include "data/masking.h"
#include "data/metrics.h"
#include "data/synthetic.h"
#include "data/synthetic_images.h"
#include "data/task.h"
#include "data/task_reader.h"
#include "data/wordpiece.h"

// experiments: training, configs, runs
#include "experiments/compute.h"
#include "experiments/config.h"
#include "experiments/data_root.h"
#include "experiments/runner.h"
#include "experiments/task_scores.h"
#include "experiments/text_classifier.h"
#include "experiments/trainer.h"
