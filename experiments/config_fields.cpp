#include "experiments/config_fields.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "experiments/config_constraints.h"
#include "experiments/contains.h"
#include "spectral/adapter_method.h"

namespace basis {
namespace {

using Texts = std::vector<std::string>;
using namespace constraints;

template <class Enum, std::size_t size>
Texts names_of(const Enum (&values)[size]) {
  Texts names;
  for (const Enum value : values) names.emplace_back(name_of(value));
  return names;
}

const Texts targets = {"query", "key", "value", "attention_output", "ffn_in", "ffn_out"};

}  // namespace

bool Constraint::holds(const ConfigValue& value) const {
  struct {
    const Constraint& constraint;
    bool operator()(bool) const { return true; }
    bool operator()(std::int64_t v) const {
      return !constraint.holds_integer || constraint.holds_integer(v);
    }
    bool operator()(double v) const {
      return std::isfinite(v) && (!constraint.holds_number || constraint.holds_number(v));
    }
    bool operator()(const std::string& v) const {
      return !constraint.holds_text || constraint.holds_text(v);
    }
    bool operator()(const std::vector<std::int64_t>& v) const {
      return std::all_of(v.begin(), v.end(), *this);
    }
    bool operator()(const Texts& v) const { return std::all_of(v.begin(), v.end(), *this); }
    bool operator()(const std::vector<double>& v) const {
      return std::all_of(v.begin(), v.end(), *this);
    }
  } visitor{*this};
  return std::visit(visitor, value);
}

// One line a key: name, member, range, meaning. Keys marked Counts::No leave results as they are.
// clang-format off

template <>
const std::vector<Field<Config>>& fields<Config>() {
  using C = Config;
  static const std::vector<Field<C>> table = {
      {"name", &C::name, file_name(), "of the run and its folder; the file's own name if absent", Counts::No},
      {"question", &C::question, anything(), "what the experiment asks, in a paragraph, for the report", Counts::No},
      {"seeds", &C::seeds, at_least(0), "one fine-tuning each for every task and method"},
      {"device", &C::device, one_of({"cpu", "cuda"}), "where it is computed"},
      {"dtype", &C::dtype, one_of({"f32", "bf16", "f64"}), "of activations and products (bf16: where the processor has it; f64: for checks)"},
      {"tf32", &C::tf32, anything(), "on cuda: f32 products on TF32 tensor cores, with 10 bits of mantissa"},
      {"cuda_graphs", &C::cuda_graphs, anything(), "on cuda: record a step's kernels once and replay them; the same bits", Counts::No},
      {"threads", &C::threads, between(0, 4096), "0: every core", Counts::No},
      {"recompute", &C::recompute, anything(), "keep an encoder layer's input alone and run the layer again in backward: less memory, the same bits, a third more work", Counts::No},
      {"models", &C::models, file_name(), "several models, each with a table [model.NAME]; empty: the one of [model]"},
      {"tasks", &C::tasks, file_name(), "GLUE's, the synthetic language's, or own ones with a table [task.NAME]"},
      {"methods", &C::methods, file_name(), "built-in names, or own ones with a table [method.NAME]"},
      {"reduced", &C::reduced, not_empty(), "key=value texts that make the small form of `basis run --reduced`", Counts::No},
  };
  return table;
}

template <>
const std::vector<Field<ModelSettings>>& fields<ModelSettings>() {
  using M = ModelSettings;
  static const std::vector<Field<M>> table = {
      {"path", &M::path, not_empty(), "model folder under the data root, or an absolute path, or \"pretrain\": what [pretrain] makes", Counts::No},
      {"head", &M::head, one_of({"mean", "pooler"}), "what the task head reads: the mean of the tokens, or the pooler of [CLS]"},
      {"checkpoint", &M::checkpoint, checkpoint_name(), "of a pretraining: its end, its lowest held-out loss, the snapshot nearest to the final held-out loss of another model, or the snapshot at so many tokens"},
  };
  return table;
}

template <>
const std::vector<Field<PretrainSettings>>& fields<PretrainSettings>() {
  using P = PretrainSettings;
  static const std::vector<Field<P>> table = {
      {"task", &P::task, anything(), "of images, with a table [task.NAME]: a classifier of it is trained in place of a masked language model, and its encoder kept; empty: on a corpus", Counts::No},
      {"corpus", &P::corpus, not_empty(), "\"synthetic\", or a file under the data root such as corpora/wikipedia.txt.zst", Counts::No},
      {"vocabulary", &P::vocabulary, anything(), "vocab.txt under the data root; empty: learned from vocabulary_corpora, or the synthetic language's own", Counts::No},
      {"vocabulary_size", &P::vocabulary_size, between(64, 1'000'000), "tokens of a vocabulary that is learned"},
      {"vocabulary_corpora", &P::vocabulary_corpora, not_empty(), "files under the data root that it is learned from; empty: the corpus", Counts::No},
      {"documents", &P::documents, at_least(1), "of the synthetic corpus, made for training; a corpus file has its own"},
      {"held_out_documents", &P::held_out_documents, at_least(1), "of the synthetic corpus, kept for the held-out loss; a corpus file keeps 1 % of its own"},
      {"data_share", &P::data_share, positive_share(), "of the training documents, or images with every class alike; a smaller share is a subset of a larger one of the same seed"},
      {"seeds", &P::seeds, at_least(0), "one pretraining each: of the initial weights, the subset, the order and the masks", Counts::No},
      {"architecture", &P::architecture, one_of({"transformer", "perceptron"}), "on images: the encoder over patches, or layers of hidden_size on all pixels at once, which have no matrices to analyse"},
      {"size", &P::size, one_of({"tiny", "mini", "small", "medium", "base"}), "2x128, 4x256, 4x512, 8x512 or 12x768; the four below say otherwise where they are not 0", Counts::No},
      {"hidden_size", &P::hidden_size, between(0, 65536), "H; 0: as the size has it"},
      {"num_hidden_layers", &P::num_hidden_layers, between(0, 1024), "N; 0: as the size has it"},
      {"num_attention_heads", &P::num_attention_heads, between(0, 4096), "A, a divisor of H; 0: as the size has it"},
      {"intermediate_size", &P::intermediate_size, between(0, 262144), "F; 0: as the size has it"},
      {"hidden_act", &P::hidden_act, one_of({"gelu", "gelu_new", "relu"}), "activation, by Hugging Face's names"},
      {"initializer_range", &P::initializer_range, positive(), "standard deviation of the first weights"},
      {"positions", &P::positions, one_of({"random", "sinusoidal"}), "how position embeddings start; they are learned either way. sinusoidal: neighbours alike from the first step, of the same mean square"},
      {"max_length", &P::max_length, between(8, 512), "tokens of a packed sequence"},
      {"steps", &P::steps, at_least(0), "optimiser steps; 0: as tokens or minutes say, or else 1000"},
      {"tokens", &P::tokens, between(0, 1'000'000'000'000), "of all steps together, rounded up to whole steps; 0: as steps say", Counts::No},
      {"minutes", &P::minutes, not_negative(), "of training, at a rate that is measured first; 0: as steps say"},
      {"batch_size", &P::batch_size, between(1, 65536), "sequences a step"},
      {"micro_batch", &P::micro_batch, between(0, 65536), "sequences computed at once; 0: the whole batch"},
      {"mask_share", &P::mask_share, number_from(0.01, 1), "of the tokens that are predicted"},
      {"whole_words", &P::whole_words, anything(), "draw whole words instead of pieces of words"},
      {"learning_rate", &P::learning_rate, positive(), "at its peak"},
      {"schedule", &P::schedule, one_of({"linear", "cosine", "constant"}), "of the learning rate after the warm-up"},
      {"warmup_share", &P::warmup_share, share(), "of the steps, the rate rising from 0"},
      {"beta1", &P::beta1, number_from(0, 1), "AdamW"},
      {"beta2", &P::beta2, number_from(0, 1), "AdamW"},
      {"epsilon", &P::epsilon, positive(), "AdamW"},
      {"weight_decay", &P::weight_decay, not_negative(), "decoupled; none on biases and layer norms"},
      {"clip_norm", &P::clip_norm, not_negative(), "of the whole gradient; 0: not clipped"},
      {"perturbation", &P::perturbation, one_of({"none", "sam", "go"}), "where a step takes its gradient: at the values; sam: at values + rho g / norm of g, g the gradient at the values; go: at values + noise of N(0, sigma^2), drawn anew in each step"},
      {"perturbation_size", &P::perturbation_size, not_negative(), "rho of sam, sigma of go"},
      {"perturbation_relative", &P::perturbation_relative, anything(), "sigma in units of each tensor's Frobenius norm over the root of its count"},
      {"dropout", &P::dropout, number_from(0, 1), "of hidden states and attention"},
      {"evaluate_every", &P::evaluate_every, at_least(0), "steps between held-out losses; 0: at the end only"},
      {"snapshots", &P::snapshots, between(0, 1'000'000'000'000), "token counts at which the model is kept, with its held-out loss; 0: the initial weights"},
      {"keeps_best", &P::keeps_best, anything(), "keep the model of the lowest held-out loss as well"},
      {"checkpoint_every", &P::checkpoint_every, at_least(1), "steps", Counts::No},
  };
  return table;
}

template <>
const std::vector<Field<DataSettings>>& fields<DataSettings>() {
  using D = DataSettings;
  static const std::vector<Field<D>> table = {
      {"language_seed", &D::language_seed, at_least(0), "of the synthetic language: its words, its corpus and what its tasks ask"},
      {"rows_seed", &D::rows_seed, at_least(0), "of the rows of the synthetic tasks, and of what transforms of images draw"},
      {"synthetic_train_rows", &D::synthetic_train_rows, between(1, 10'000'000), "of each synthetic task"},
      {"synthetic_dev_rows", &D::synthetic_dev_rows, between(2, 10'000'000), "of each synthetic task"},
  };
  return table;
}

template <>
const std::vector<Field<TrainSettings>>& fields<TrainSettings>() {
  using T = TrainSettings;
  static const std::vector<Field<T>> table = {
      {"epochs", &T::epochs, between(1, 100'000), "passes over the training rows"},
      {"steps", &T::steps, at_least(0), "optimiser steps instead of epochs; 0: by epochs"},
      {"train_rows", &T::train_rows, at_least(0), "the first so many training rows; 0: all"},
      {"batch_size", &T::batch_size, between(1, 65536), "examples a step"},
      {"tokens_per_batch", &T::tokens_per_batch, at_least(0), "cut batches by tokens instead of examples; 0: by examples"},
      {"micro_batch", &T::micro_batch, between(0, 65536), "examples computed at once; 0: the whole batch"},
      {"max_length", &T::max_length, between(3, 512), "tokens of an example, special ones included; longer ones are cut"},
      {"grouped", &T::grouped, anything(), "batches of like length instead of random order"},
      {"learning_rate", &T::learning_rate, positive(), "at its peak"},
      {"head_learning_rate", &T::head_learning_rate, not_negative(), "of the task head; 0: learning_rate"},
      {"schedule", &T::schedule, one_of({"linear", "cosine", "constant"}), "of the learning rate after the warm-up"},
      {"warmup_share", &T::warmup_share, share(), "of the steps, the rate rising from 0"},
      {"optimizer", &T::optimizer, one_of({"adamw", "sgd"}), "with PyTorch's semantics"},
      {"momentum", &T::momentum, number_from(0, 1), "SGD"},
      {"beta1", &T::beta1, number_from(0, 1), "AdamW"},
      {"beta2", &T::beta2, number_from(0, 1), "AdamW"},
      {"epsilon", &T::epsilon, positive(), "AdamW"},
      {"weight_decay", &T::weight_decay, not_negative(), "none on biases, layer norms and adapters"},
      {"clip_norm", &T::clip_norm, not_negative(), "of the whole gradient; 0: not clipped"},
      {"perturbation", &T::perturbation, one_of({"none", "sam", "go"}), "where a step takes its gradient: at the values; sam: at values + rho g / norm of g, g the gradient at the values; go: at values + noise of N(0, sigma^2), drawn anew in each step"},
      {"perturbation_size", &T::perturbation_size, not_negative(), "rho of sam, sigma of go"},
      {"perturbation_relative", &T::perturbation_relative, anything(), "sigma in units of each tensor's Frobenius norm over the root of its count"},
      {"dropout", &T::dropout, share_or_inherited(), "of hidden states, attention and head; -1: as the model's config says"},
      {"evaluate_every", &T::evaluate_every, at_least(0), "steps between scores on dev; 0: after the last step only"},
      {"checkpoint_every", &T::checkpoint_every, at_least(1), "steps", Counts::No},
  };
  return table;
}

template <>
const std::vector<Field<TaskSettings>>& fields<TaskSettings>() {
  using T = TaskSettings;
  static const std::vector<Field<T>> table = {
      {"format", &T::format, one_of({"tsv", "csv", "jsonl"}), "of the files"},
      {"train", &T::train, anything(), "file under the data root, or an absolute path", Counts::No},
      {"dev", &T::dev, anything(), "file to score on", Counts::No},
      {"test", &T::test, anything(), "file to predict, or none", Counts::No},
      {"first", &T::first, anything(), "column of the text"},
      {"second", &T::second, anything(), "column of the second text of a pair, or none"},
      {"label", &T::label, anything(), "column of the class or the number"},
      {"labels", &T::labels, not_empty(), "classes in the order of their ids; empty for regression"},
      {"regression", &T::regression, anything(), "the label is a number"},
      {"metrics", &T::metrics, one_of({"accuracy", "f1", "matthews", "pearson", "spearman"}), "the primary one first; empty: accuracy, or pearson for regression"},
      {"corpus", &T::corpus, anything(), "instead of files with labels: \"synthetic\", or a file of plain text under the data root, on which masked language modelling goes on (kind full alone; [train] rows are sequences packed to max_length, 1 % of the text is dev)", Counts::No},
      {"images", &T::images, anything(), "instead of texts: \"mnist\", \"fashion-mnist\", \"synthetic\" (shapes that the program draws), or a folder of four idx files in MNIST's layout, under the data root; the test split is dev", Counts::No},
      {"transforms", &T::transforms, image_transform(), "images: changes of every one, one after the other; rows_seed of [data] draws"},
      {"patch", &T::patch, between(1, 1024), "images: pixels a side of the squares that are its tokens; a divisor of height and width"},
      {"models", &T::models, file_name(), "only on these of the config's models; empty: all", Counts::No},
  };
  return table;
}

template <>
const std::vector<Field<MethodSettings>>& fields<MethodSettings>() {
  using M = MethodSettings;
  static const std::vector<Field<M>> table = {
      {"kind", &M::kind, one_of(names_of(all_method_kinds)), "what is trained; the table's own name where that is built in"},
      {"start", &M::start, one_of({"pretrained", "random", "scrambled", "lesion-leading", "lesion-trailing", "lesion-random", "pixels-linear", "pixels-perceptron"}), "weights that the encoder starts from; random: drawn anew by the seed; scrambled: singular values kept, directions drawn anew; lesion: without some of the components; pixels: floors for images, in the model's place a linear classifier of the pixels, or one behind a layer of 256 (kind full)"},
      {"lesion_energy", &M::lesion_energy, share(), "of each matrix's squared norm, that a lesion takes out"},
      {"labels", &M::labels, one_of({"true", "shuffled"}), "of the training rows; shuffled among them by the seed: the inputs without the task"},
      {"rank", &M::rank, between(0, 65536), "k of the basis, r of the others; 0: every vector of the matrix (spectral only)"},
      {"alpha", &M::alpha, not_negative(), "lora, pissa, lora-xs: the product is scaled by alpha / rank, of rslora by alpha / √rank; 0: by 1"},
      {"form", &M::form, one_of({"diagonal", "band", "core"}), "spectral: which coefficients of the basis are trained"},
      {"bandwidth", &M::bandwidth, between(1, 65536), "spectral band: d, entries with |i - j| at most d"},
      {"basis", &M::basis, one_of(names_of(all_basis_kinds)), "spectral, pica: which directions are trained in (`other-seed`: those of the model's next pretraining seed; `flipped`: the leading ones with random signs)"},
      {"shared", &M::shared, anything(), "pica: one trained factor for the same matrix of all layers"},
      {"targets", &M::targets, one_of(targets), "matrices of each layer that get an adapter"},
      {"apply", &M::apply, one_of({"auto", "side", "merged"}), "side path or merged weight in training; auto: side, folded or merged by counted cost"},
      {"adapter_dropout", &M::adapter_dropout, number_from(0, 1), "on the side path's input; forbids the merged form"},
      {"curvature", &M::curvature, one_of({"none", "steered", "trained"}), "Curvature Tuning in the activations' place: one β that stands still, or β and c for each channel, trained; beside any kind but full"},
      {"curvature_beta", &M::curvature_beta, share_or_own(), "β; -1: trained from 0.8, or from what is nearest to GELU"},
      {"curvature_c", &M::curvature_c, share_or_own(), "c; -1: 0.5, or trained from what is nearest to GELU"},
      {"curvature_learning_rate", &M::curvature_learning_rate, not_negative(), "of β and c; 0: learning_rate"},
      {"learning_rates", &M::learning_rates, positive(), "several: the best on rows that are neither trained nor reported on ([grid]) is taken, for every task; of the encoder, or of the head where that alone trains", Counts::No},
      {"models", &M::models, file_name(), "only on these of the config's models; empty: all", Counts::No},
      {"max_seeds", &M::max_seeds, at_least(0), "only so many of the config's first seeds; 0: all", Counts::No},
      {"family", &M::family, anything(), "methods that are one but for a number: one colour and one curve of score against trained share in the report, and a name by which a claim has one chosen by cross-fitting; empty: the method stands alone", Counts::No},
  };
  return table;
}

template <>
const std::vector<Field<GridSettings>>& fields<GridSettings>() {
  using S = GridSettings;
  static const std::vector<Field<S>> table = {
      {"seeds", &S::seeds, at_least(0), "of the runs that a rate is chosen by; none of them is reported", Counts::No},
      {"rows", &S::rows, at_least(1), "of the training file behind train_rows, that these runs are scored on"},
      {"head", &S::head, anything(), "a method of kind head whose chosen rate all methods' heads take; empty: each as [train] says", Counts::No},
  };
  return table;
}

template <>
const std::vector<Field<SpectrumSettings>>& fields<SpectrumSettings>() {
  using S = SpectrumSettings;
  static const std::vector<Field<S>> table = {
      {"enabled", &S::enabled, anything(), "compare weights before and after fine-tuning", Counts::No},
      {"methods", &S::methods, file_name(), "whose results are compared; empty: those of kind full", Counts::No},
      {"ranks", &S::ranks, between(1, 65536), "k at which principal angles are found; all else is a curve over every k"},
  };
  return table;
}

template <>
const std::vector<Field<SharingSettings>>& fields<SharingSettings>() {
  using S = SharingSettings;
  static const std::vector<Field<S>> table = {
      {"methods", &S::methods, file_name(), "whose drifts are compared between tasks and seeds, those on shuffled labels as control; empty: none"},
      {"ranks", &S::ranks, between(1, 65536), "k at which they are; those above a matrix's rank are left out"},
  };
  return table;
}

template <>
const std::vector<Field<EmergenceSettings>>& fields<EmergenceSettings>() {
  using S = EmergenceSettings;
  static const std::vector<Field<S>> table = {
      {"enabled", &S::enabled, anything(), "compare the snapshots of each pretraining with its end and its beginning", Counts::No},
      {"ranks", &S::ranks, between(1, 65536), "k at which subspaces are; those above a matrix's rank are left out"},
      {"text_rows", &S::text_rows, between(1, 1'000'000), "packed held-out sequences, at most, whose use of the directions is measured"},
  };
  return table;
}

template <>
const std::vector<Field<SurgerySettings>>& fields<SurgerySettings>() {
  using S = SurgerySettings;
  static const std::vector<Field<S>> table = {
      {"methods", &S::methods, file_name(), "whose changes of the weights are taken apart; empty: none"},
      {"ranks", &S::ranks, between(1, 65536), "k of the bases; those above a matrix's rank are cut to it"},
      {"dev_rows", &S::dev_rows, at_least(1), "of dev, at most, that every part is scored on"},
  };
  return table;
}

template <>
const std::vector<Field<LandscapeSettings>>& fields<LandscapeSettings>() {
  using S = LandscapeSettings;
  static const std::vector<Field<S>> table = {
      {"methods", &S::methods, file_name(), "whose fine-tunings are looked around; empty: none"},
      {"pretrained", &S::pretrained, anything(), "look around every pretraining on text too, with its head: how often the right token comes first at masked positions of held-out text", Counts::No},
      {"kinds", &S::kinds, one_of({"most-case", "most-case-scaled", "sft-case", "worst-case", "plane", "noise", "noise-relative", "noise-leading", "noise-trailing", "noise-random", "path"}), "slices along Gaussian directions, as they are or each tensor scaled to its own norm; along the way to the start; along what gradient ascent finds worst; a plane; Gaussian noise, absolute or in units of each tensor's ‖W‖/√n; noise in each matrix's leading, trailing or random directions alone, of relative size; noise on the way to the start"},
      {"directions", &S::directions, at_least(1), "Gaussian ones of a slice"},
      {"points", &S::points, between(2, 100'000), "along each direction"},
      {"span", &S::span, positive(), "alpha goes from -span to span"},
      {"scaled_span", &S::scaled_span, positive(), "the same of most-case-scaled"},
      {"dev_rows", &S::dev_rows, at_least(0), "of dev, or held-out sequences, at most, that are scored; 0: all"},
      {"sigmas", &S::sigmas, positive(), "of noise and path, ascending"},
      {"relative_sigmas", &S::relative_sigmas, positive(), "of noise-relative and of noise in directions, ascending"},
      {"draws", &S::draws, at_least(2), "of noise; a certificate takes 400 or more"},
      {"path_draws", &S::path_draws, at_least(2), "of noise on the way to the start, and of noise in directions"},
      {"basis_rank", &S::basis_rank, between(1, 65536), "k of noise in directions; above a matrix's rank it is that"},
      {"worst_rows", &S::worst_rows, between(1, 100'000), "training rows, or sequences, whose loss worst-case climbs"},
      {"worst_steps", &S::worst_steps, at_least(1), "of its gradient ascent"},
  };
  return table;
}

template <>
const std::vector<Field<RobustnessSettings>>& fields<RobustnessSettings>() {
  using S = RobustnessSettings;
  static const std::vector<Field<S>> table = {
      {"methods", &S::methods, file_name(), "whose fine-tunings on images are attacked; empty: none", Counts::No},
      {"epsilons", &S::epsilons, positive_share(), "radii of attacks by projected gradient ascent, the largest change of any pixel in units of its range from black to white"},
      {"steps", &S::steps, between(1, 100'000), "of each attack"},
      {"step_share", &S::step_share, not_negative(), "size of a step as a share of the radius; 0: 2.5 / steps"},
      {"noise", &S::noise, positive(), "standard deviations of Gaussian noise on every pixel, in the same units"},
      {"dev_rows", &S::dev_rows, at_least(0), "of dev, at most, that are attacked; 0: all"},
  };
  return table;
}

template <>
const std::vector<Field<RetentionSettings>>& fields<RetentionSettings>() {
  using S = RetentionSettings;
  static const std::vector<Field<S>> table = {
      {"methods", &S::methods, file_name(), "of kind full, whose fine-tunings train on another task: how much of their own score is left with their own head; empty: none", Counts::No},
      {"task", &S::task, anything(), "the other one, with labels: a known one or one with a table [task.NAME]; trained on in full under a new head as [train] says, without perturbation", Counts::No},
  };
  return table;
}

template <>
const std::vector<Field<ClaimSettings>>& fields<ClaimSettings>() {
  using S = ClaimSettings;
  static const std::vector<Field<S>> table = {
      {"text", &S::text, not_empty(), "the claim in a sentence", Counts::No},
      {"endpoint", &S::endpoint, one_of({"rotation-ratio", "co-drift", "surgery", "score-share", "score-margin", "score-difference", "data-slope", "basin-ratio", "kept-difference", "robustness-difference"}), "what decides it: rho_k of a method below 1 and below that of the control at equal change; co-drift of tasks above shuffled labels and half of the ceiling; the leading core's share of the score above the random core's; method minus control as a share of ceiling minus floor above 0; method minus control above the margin; method minus control above 0, two-sided; the slope of log rho_k at equal change on the log of the models' data below 0; the method's basin over the control's in relative noise, or of two models the first's over the second's, above 1, two-sided; the method's share of score kept after [retention]'s task minus the control's above 0, two-sided; method minus control in accuracy under the attack above 0, two-sided", Counts::No},
      {"method", &S::method, anything(), "whose runs it is about", Counts::No},
      {"control", &S::control, anything(), "what it is compared with; of rotation-ratio all methods of its start, as a curve", Counts::No},
      {"ceiling", &S::ceiling, anything(), "score-share: the method at the upper end", Counts::No},
      {"floor", &S::floor, anything(), "score-share: the method at the lower end", Counts::No},
      {"models", &S::models, file_name(), "of several models: the one that it is about; data-slope: those of the slope, two or more; basin-ratio: two, of which the first is compared with the second, in their pretraining or in the method's fine-tunings", Counts::No},
      {"tasks", &S::tasks, file_name(), "that decide; empty: all", Counts::No},
      {"margin", &S::margin, [] { Constraint c; c.text = "any number"; return c; }(), "score-margin: points that the one-sided 95 % bound must lie above", Counts::No},
      {"k", &S::k, between(1, 65536), "rank at which it is decided", Counts::No},
      {"needs", &S::needs, between(0, 1000), "tasks on which it must hold; 0: all", Counts::No},
      {"attack", &S::attack, one_of({"pgd", "noise"}), "robustness-difference: what is done to the pixels", Counts::No},
      {"size", &S::size, not_negative(), "robustness-difference: of the attack, among \"epsilons\" or \"noise\" of [robustness]", Counts::No},
  };
  return table;
}

template <>
const std::vector<Field<ReportSettings>>& fields<ReportSettings>() {
  using R = ReportSettings;
  static const std::vector<Field<R>> table = {
      {"enabled", &R::enabled, anything(), "write report.html", Counts::No},
      {"title", &R::title, anything(), "the run's name if empty", Counts::No},
  };
  return table;
}

// clang-format on

template <class Settings>
ConfigValue Field<Settings>::get(const Settings& settings) const {
  return std::visit([&](auto place) { return ConfigValue(settings.*place); }, member);
}

template <class Settings>
void Field<Settings>::set(Settings& settings, const ConfigValue& value) const {
  std::visit(
      [&](auto place) {
        settings.*place = std::get<std::decay_t<decltype(settings.*place)>>(value);
      },
      member);
}

template struct Field<Config>;
template struct Field<ModelSettings>;
template struct Field<PretrainSettings>;
template struct Field<DataSettings>;
template struct Field<TrainSettings>;
template struct Field<TaskSettings>;
template struct Field<MethodSettings>;
template struct Field<GridSettings>;
template struct Field<SpectrumSettings>;
template struct Field<SharingSettings>;
template struct Field<EmergenceSettings>;
template struct Field<SurgerySettings>;
template struct Field<LandscapeSettings>;
template struct Field<RobustnessSettings>;
template struct Field<RetentionSettings>;
template struct Field<ClaimSettings>;
template struct Field<ReportSettings>;

bool is_of_images(std::string_view key) {
  return key == "images" || key == "transforms" || key == "patch";
}

bool task_has(const TaskSettings& task, std::string_view key) {
  if (key == "models") return true;
  if (task.is_images()) return is_of_images(key);
  return task.is_text() ? key == "corpus" : !is_of_images(key);
}

bool pretrain_has(const PretrainSettings& pretrain, std::string_view key) {
  static const Texts of_text = {"corpus",
                                "vocabulary",
                                "vocabulary_size",
                                "documents",
                                "vocabulary_corpora",
                                "held_out_documents",
                                "max_length",
                                "tokens",
                                "minutes",
                                "mask_share",
                                "whole_words",
                                "snapshots",
                                "keeps_best"};
  if (key == "architecture") return pretrain.is_images();
  static const Texts of_transformers = {"num_attention_heads", "intermediate_size", "positions"};
  if (pretrain.is_perceptron() && contains(of_transformers, key)) return false;
  return !pretrain.is_images() || !contains(of_text, key);
}

const std::vector<std::string>& known_tasks() {
  static const Texts names = {"cola",
                              "sst2",
                              "mrpc",
                              "stsb",
                              "qqp",
                              "mnli",
                              "qnli",
                              "rte",
                              "wnli",
                              "synthetic-acceptability",
                              "synthetic-sentiment",
                              "synthetic-paraphrase",
                              "synthetic-similarity",
                              "synthetic-entailment"};
  return names;
}

}  // namespace basis
