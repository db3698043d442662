/* The entry: everything is in daemon/. */
int main(void)
{
    return 0;
}
