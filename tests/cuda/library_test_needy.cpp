// Needs the other library, of another folder (library_test.cpp).
extern "C" int needed_number();

extern "C" int needy_number() {
  return 6 * needed_number();
}
