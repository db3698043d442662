/* The whole program, from the command line to the exit status. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* Returns 0 when all went well, 1 when something failed, 2 when a word is unknown or malformed, or
 * 3 when `explain` finds that the answer is not an allow (cli/explain.h). */
int cli_main(int argc, char **argv);

#endif
