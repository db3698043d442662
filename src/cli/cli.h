/* The whole program, from the command line to the exit status. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

/* 0 done, 1 it failed, 2 unknown or malformed words. */
int cli_main(int argc, char **argv);

#endif
