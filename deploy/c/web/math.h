#define HUGE_VAL (__builtin_huge_val())
double exp(double x);
