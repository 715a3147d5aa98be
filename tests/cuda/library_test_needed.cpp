// In a folder of its own (library_test.cpp).
extern "C" int needed_number() {
  return 7;
}
