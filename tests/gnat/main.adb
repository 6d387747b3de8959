--  A store to no address is an exception in Ada: the runtime's handler for SIGSEGV, which was there
--  before libcow's, raises it. Here that happens between stores to a region.

with Ada.Command_Line;
with Interfaces.C; use Interfaces.C;

procedure Main is
   procedure Make_Region
     with Import, Convention => C, External_Name => "make_region";
   function Store_After_Snapshot (Value : int) return int
     with Import, Convention => C, External_Name => "store_after_snapshot";

   pragma Suppress (Access_Check);
   type Pointer is access all Integer;
   Nowhere : Pointer := null;
   pragma Volatile (Nowhere);

   Raised : Natural := 0;
begin
   Make_Region;
   for Round in 1 .. 5 loop
      begin
         Nowhere.all := Round;
      exception
         when others => Raised := Raised + 1;
      end;
      if Store_After_Snapshot (int (Round)) /= int (Round) then
         Ada.Command_Line.Set_Exit_Status (2);
      end if;
   end loop;
   if Raised /= 5 then
      Ada.Command_Line.Set_Exit_Status (1);
   end if;
end Main;
