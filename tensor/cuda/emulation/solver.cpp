// Singular value decompositions without a library: Jacobi's one-sided rotations (Hestenes 1958).
#include "tensor/cuda/solver.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "tensor/cuda/emulation/memory.h"
#include "tensor/cuda/emulation/solved.h"
#include "tensor/error.h"

namespace basis::cuda::emulated {

namespace {

constexpr double epsilon = std::numeric_limits<double>::epsilon();
constexpr int most_sweeps = 60;

std::atomic<int> solved = 0;

using Vector = std::vector<double>;
using Columns = std::vector<Vector>;

double dot(const Vector& a, const Vector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void rotate(Vector& a, Vector& b, double cosine, double sine) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double old = a[i];
    a[i] = cosine * old - sine * b[i];
    b[i] = sine * old + cosine * b[i];
  }
}

/// Turns pairs of columns until all are orthogonal; v turns with them.
void orthogonalise(Columns& columns, Columns& v) {
  const double tolerance = epsilon * static_cast<double>(columns.front().size());
  bool has_turned = true;
  for (int sweep = 0; has_turned && sweep < most_sweeps; ++sweep) {
    has_turned = false;
    for (std::size_t p = 0; p < columns.size(); ++p) {
      for (std::size_t q = p + 1; q < columns.size(); ++q) {
        const double of_p = dot(columns[p], columns[p]), of_q = dot(columns[q], columns[q]);
        const double both = dot(columns[p], columns[q]);
        if (std::abs(both) <= tolerance * std::sqrt(of_p) * std::sqrt(of_q)) continue;
        const double zeta = (of_q - of_p) / (2 * both);
        const double tangent = std::copysign(1.0, zeta) / (std::abs(zeta) + std::hypot(1.0, zeta));
        const double cosine = 1 / std::hypot(1.0, tangent);
        rotate(columns[p], columns[q], cosine, cosine * tangent);
        rotate(v[p], v[q], cosine, cosine * tangent);
        has_turned = true;
      }
    }
  }
}

/// A unit vector orthogonal to the first `count` of `columns`.
Vector another_direction(const Columns& columns, std::size_t count, std::size_t size) {
  Vector best;
  double longest = 0;
  for (std::size_t axis = 0; axis < size && longest < 0.5; ++axis) {
    Vector candidate(size, 0.0);
    candidate[axis] = 1;
    for (int twice = 0; twice < 2; ++twice) {
      for (std::size_t i = 0; i < count; ++i) {
        const double part = dot(columns[i], candidate);
        for (std::size_t j = 0; j < size; ++j) candidate[j] -= part * columns[i][j];
      }
    }
    const double length = std::sqrt(dot(candidate, candidate));
    if (length <= longest) continue;
    longest = length;
    for (double& element : candidate) element /= length;
    best = std::move(candidate);
  }
  return best;
}

struct Decomposed {
  Vector sigma;
  Columns u, v;
};

Decomposed decompose(const SvdOperands& at) {
  ++solved;
  const auto m = static_cast<std::size_t>(at.m), n = static_cast<std::size_t>(at.n);
  double largest = 0;
  for (std::size_t i = 0; i < m * n; ++i) largest = std::max(largest, std::abs(at.a[i]));
  const double unit = largest > 0 ? largest : 1;
  Columns a(n), v(n, Vector(n, 0.0));
  for (std::size_t j = 0; j < n; ++j) {
    a[j].assign(at.a + j * m, at.a + (j + 1) * m);
    for (double& element : a[j]) element /= unit;
    v[j][j] = 1;
  }
  orthogonalise(a, v);

  Vector lengths(n);
  for (std::size_t j = 0; j < n; ++j) lengths[j] = std::sqrt(dot(a[j], a[j]));
  std::vector<std::size_t> order(n);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t i, std::size_t j) { return lengths[i] > lengths[j]; });
  Decomposed result;
  for (const std::size_t j : order) {
    result.sigma.push_back(lengths[j] * unit);
    result.v.push_back(v[j]);
    if (lengths[j] > 0) {
      for (double& element : a[j]) element /= lengths[j];
      result.u.push_back(std::move(a[j]));
    } else {
      result.u.push_back(another_direction(result.u, result.u.size(), m));
    }
  }
  return result;
}

void store(const Columns& columns, double* to) {
  for (const Vector& column : columns) to = std::copy(column.begin(), column.end(), to);
}

}  // namespace

int solved_decompositions() {
  return solved;
}

struct Solver::State {
  std::atomic<bool> is_busy = false;
};

namespace {

/// A library's handle is one thread's at a time.
class Turn {
 public:
  explicit Turn(std::atomic<bool>& is_busy) : is_busy_(is_busy) {
    ensure(!is_busy_.exchange(true), "one thread at a time decomposes");
  }
  ~Turn() { is_busy_ = false; }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic<bool>& is_busy_;
};

}  // namespace

Solver::Solver(Runtime&) : state_(std::make_unique<State>()) {}
Solver::~Solver() = default;

std::string Solver::name() const {
  return "Jacobi on a host thread";
}
std::string Solver::describe() {
  return "Jacobi on a host thread";
}

/// Moves small values as cuSOLVER does, and far enough to be seen by whoever uses them all the
/// same.
std::string Solver::polar(const SvdOperands& at) {
  const Turn turn(state_->is_busy);
  const Access access;
  Decomposed result = decompose(at);
  const double smallest = epsilon * static_cast<double>(at.m) * result.sigma.front();
  const bool is_moved = result.sigma.back() <= smallest;
  if (is_moved) {
    for (double& value : result.sigma) value += 1e-9 * std::max(result.sigma.front(), 1.0);
  }
  std::copy(result.sigma.begin(), result.sigma.end(), at.sigma);
  store(result.u, at.u);
  store(result.v, at.v);
  return is_moved ? "small singular values were moved" : "";
}

std::string Solver::qr(const SvdOperands& at) {
  const Turn turn(state_->is_busy);
  const Access access;
  const Decomposed result = decompose(at);
  std::copy(result.sigma.begin(), result.sigma.end(), at.sigma);
  store(result.u, at.u);
  const auto n = static_cast<std::size_t>(at.n);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < n; ++j) at.v[j * n + i] = result.v[i][j];
  }
  return "";
}

}  // namespace basis::cuda::emulated
